/* SPDX-License-Identifier: Apache-2.0 */
/* hello_subscriber - prints what hello_publisher says, and waits for the next one when it dies. */
#include <stdio.h>
#include <tickbus/tickbus.h>

int main(void)
{
    tbus_bus_t bus;
    tbus_subscriber_t in;
    tbus_error_t err;
    const void *hello;
    if (tbus_bus_open("demo", "reader", TBUS_FOREVER, &bus, &err) < 0 ||
        tbus_bus_subscriber(&bus, "hello", &in, &err) < 0)
        return fprintf(stderr, "%s\n", err.text), 1;
    while (tbus_take_wait(&bus, &in, &hello, NULL, TBUS_FOREVER) >= 0)
        printf("%s\n", hello ? (const char *)hello : "(nobody is there to say it)");
    tbus_bus_close(&bus);
}
