/* SPDX-License-Identifier: Apache-2.0 */
/* door.h - who may connect, and for how long: the parameters that both kinds of gateway stage have
 * (stage.h), and the part of a server's options that they are. Cold.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_DOOR_H
#define TICKBUS_FEEDSIM_GATEWAY_DOOR_H

#include <tickbus/param.h>

#include "feedsim/gateway/server.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GATEWAY_PATH_MAX 512u

typedef struct gateway_door {
    char users[GATEWAY_PATH_MAX]; /* "": none */
    uint32_t send_buffer_bytes;
    uint32_t sessions_max;
    uint32_t sessions_per_address;
    uint32_t logins_max;
    uint32_t idle_ms;
    uint32_t login_ms;
    uint32_t linger_ms;
} gateway_door_t;

/* For tables of parameters: "" or an address to listen on (listen.h). -TBUS_ECONFIG. */
int gateway_door_check_address(const char *text, tbus_error_t *err);

/* Can the file of users be read, if there is one? Errors of gateway_users_load. */
int gateway_door_check(const gateway_door_t *door, tbus_error_t *err);

/* For the functions of the kinds: may this parameter change while a gateway runs? And have the
 * gateway of that board take the limits of these options, and read its users again. */
bool gateway_door_may_change(const tbus_param_t *param);
void gateway_door_change(gateway_board_t *board, const gateway_options_t *options);

/* What it says of the options; all other options are 0. `door` must live as long as they are
 * used. */
gateway_options_t gateway_door_options(const gateway_door_t *door);

#ifdef __cplusplus
}
#endif
#endif
