/* SPDX-License-Identifier: Apache-2.0 */
/* config_layout.h - the layout that a configuration has on this host: layout.h, given the stages of
 * the configuration, the CPUs that this process may use and what its control group allows. */
#ifndef TICKBUS_TOOLS_RUN_CONFIG_LAYOUT_H
#define TICKBUS_TOOLS_RUN_CONFIG_LAYOUT_H

#include "bus/run/cgroup.h"

#include "tools/config/config.h"
#include "tools/run/layout.h"

/* `out_quota`: of this process; must outlive the layout, which names its file. Cold. */
void config_layout(const config_t *config, tbus_cgroup_cpu_t *out_quota, layout_t *out_layout);

#endif
