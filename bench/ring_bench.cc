/* SPDX-License-Identifier: Apache-2.0 */
/* ring_bench.cc - what does each step of the path cost, in one thread, with nobody to wait for?
 * Google Benchmark around C kernels. */
#include <benchmark/benchmark.h>

#include "bench/kernel.h"

static void run(benchmark::State &state, const kernel_t *kernel)
{
    void *self = nullptr;
    tbus_error_t err;
    if (kernel->create(&self, &err) < 0) {
        state.SkipWithError(err.text);
        return;
    }
    for (auto _ : state) {
        uint64_t ns = kernel->run(self);
        if (ns == 0) {
            state.SkipWithError("the kernel did not do what it should");
            break;
        }
        state.SetIterationTime(static_cast<double>(ns) * 1e-9);
    }
    double messages = static_cast<double>(state.iterations()) * kernel->messages;
    state.counters["per_message"] =
        benchmark::Counter(messages, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    state.counters["messages"] = benchmark::Counter(messages, benchmark::Counter::kIsRate);
    kernel->destroy(self);
}

int main(int argc, char **argv)
{
    for (auto kernel_at : {ring_kernel_at, path_kernel_at})
        for (unsigned i = 0; const kernel_t *kernel = kernel_at(i); i++)
            benchmark::RegisterBenchmark(kernel->name, run, kernel)
                ->UseManualTime()
                ->Unit(benchmark::kMicrosecond);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
