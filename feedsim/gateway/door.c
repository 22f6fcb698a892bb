/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/door.h"

#include <string.h>

#include "feedsim/gateway/listen.h"
#include "feedsim/gateway/users.h"

#define MS_NS UINT64_C(1000000)

int gateway_door_check_address(const char *text, tbus_error_t *err)
{
    return *text ? gateway_address_check(text, err) : 0;
}

int gateway_door_check(const gateway_door_t *door, tbus_error_t *err)
{
    gateway_users_t users = {0};
    int code = door->users[0] ? gateway_users_load(door->users, &users, err) : 0;
    gateway_users_destroy(&users);
    return code;
}

bool gateway_door_may_change(const tbus_param_t *param)
{
    static const char *const may[] = {"sessions_per_user", "sessions_per_address",
                                      "logins_max",        "lag_max",
                                      "idle_ms",           "login_ms"};
    for (size_t i = 0; i < sizeof may / sizeof may[0]; i++)
        if (strcmp(param->name, may[i]) == 0)
            return true;
    return false;
}

void gateway_door_change(gateway_board_t *board, const gateway_options_t *options)
{
    gateway_limits_t limits = gateway_options_limits(options);
    uint64_t words[GATEWAY_LIMITS_WORDS];
    memcpy(words, &limits, sizeof words);
    gateway_board_put(&board->limits_version, board->limits, words, GATEWAY_LIMITS_WORDS);
}

gateway_options_t gateway_door_options(const gateway_door_t *door)
{
    gateway_options_t options = {
        .users = door->users[0] ? door->users : NULL,
        .send_buffer_bytes = door->send_buffer_bytes,
        .sessions_max = door->sessions_max,
        .sessions_per_address = door->sessions_per_address,
        .logins_max = door->logins_max,
        .idle_ns = door->idle_ms * MS_NS,
        .linger_ns = door->linger_ms * MS_NS,
        .times = SOUP_TIMES,
    };
    options.times.login_ns = door->login_ms * MS_NS;
    return options;
}
