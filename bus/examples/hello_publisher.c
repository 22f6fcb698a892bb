/* SPDX-License-Identifier: Apache-2.0 */
/* hello_publisher - says hello on a bus, once a second, until the bus ends.
 *
 *    busctl bus demo --topic hello &
 *    cc hello_publisher.c -o hello_publisher $(pkg-config --cflags --libs tickbus)
 *    ./hello_publisher & ./hello_subscriber
 */
#include <stdio.h>
#include <tickbus/tickbus.h>
#include <unistd.h>

int main(void)
{
    tbus_bus_t bus;
    tbus_publisher_t out;
    tbus_error_t err;
    if (tbus_bus_open("demo", "writer", TBUS_FOREVER, &bus, &err) < 0 ||
        tbus_bus_publisher(&bus, "hello", &out, &err) < 0)
        return fprintf(stderr, "%s\n", err.text), 1;
    while (tbus_publish_wait(&bus, &out, "hello, world", 13, TBUS_FOREVER) >= 0)
        sleep(1);
    tbus_bus_close(&bus);
}
