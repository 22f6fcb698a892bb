/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus/journal/crc32c.h"

typedef uint32_t (*crc_t)(uint32_t crc, const void *data, size_t bytes);

/* RFC 3720, appendix B.4. */
static void check_rfc_3720_vectors(crc_t crc)
{
    uint8_t data[48];
    memset(data, 0, 32);
    assert_int_equal(crc(0, data, 32), 0x8a9136aa);
    memset(data, 0xff, 32);
    assert_int_equal(crc(0, data, 32), 0x62a8ab43);
    for (unsigned i = 0; i < 32; i++)
        data[i] = (uint8_t)i;
    assert_int_equal(crc(0, data, 32), 0x46dd794e);
    for (unsigned i = 0; i < 32; i++)
        data[i] = (uint8_t)(31 - i);
    assert_int_equal(crc(0, data, 32), 0x113fdb5c);
    static const uint8_t iscsi_read[48] = {0x01, 0xc0, 0, 0,    0,    0, 0, 0,    0,    0, 0,    0,
                                           0,    0,    0, 0,    0x14, 0, 0, 0,    0,    0, 0x04, 0,
                                           0,    0,    0, 0x14, 0,    0, 0, 0x18, 0x28, 0, 0,    0,
                                           0,    0,    0, 0,    0x02, 0, 0, 0,    0,    0, 0,    0};
    assert_int_equal(crc(0, iscsi_read, 48), 0xd9963a56);
    assert_int_equal(crc(0, "123456789", 9), 0xe3069283);
}

static void crc32c_gives_the_values_of_rfc_3720(void **state)
{
    (void)state;
    check_rfc_3720_vectors(tbus_crc32c);
}

static void crc32c_by_table_gives_the_values_of_rfc_3720(void **state)
{
    (void)state;
    check_rfc_3720_vectors(tbus_crc32c_by_table);
}

static void crc32c_by_cpu_gives_the_values_of_rfc_3720(void **state)
{
    (void)state;
    if (!tbus_crc32c_cpu_has()) {
        printf("this CPU has no CRC instruction\n");
        skip();
    }
    check_rfc_3720_vectors(tbus_crc32c_by_cpu);
}

static void crc32c_of_every_byte_is_as_the_polynomial_says(void **state)
{
    (void)state;
    for (unsigned value = 0; value < 256; value++) {
        uint8_t byte = (uint8_t)value;
        uint32_t crc = ~0u ^ byte;
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
        assert_int_equal(tbus_crc32c_by_table(0, &byte, 1), ~crc);
    }
}

static void crc32c_by_cpu_and_by_table_agree_at_every_length_and_alignment(void **state)
{
    (void)state;
    if (!tbus_crc32c_cpu_has()) {
        printf("this CPU has no CRC instruction\n");
        skip();
    }
    uint8_t data[160];
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 167 + 13);
    for (size_t start = 0; start < 16; start++)
        for (size_t bytes = 0; start + bytes <= sizeof data; bytes++)
            assert_int_equal(tbus_crc32c_by_cpu(7, data + start, bytes),
                             tbus_crc32c_by_table(7, data + start, bytes));
}

static void crc32c_goes_on_where_it_left_off(void **state)
{
    (void)state;
    const char text[] = "a record is checked in pieces";
    uint32_t whole = tbus_crc32c(0, text, sizeof text);
    for (size_t cut = 0; cut <= sizeof text; cut++)
        assert_int_equal(tbus_crc32c(tbus_crc32c(0, text, cut), text + cut, sizeof text - cut),
                         whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_gives_the_values_of_rfc_3720),
        cmocka_unit_test(crc32c_by_table_gives_the_values_of_rfc_3720),
        cmocka_unit_test(crc32c_by_cpu_gives_the_values_of_rfc_3720),
        cmocka_unit_test(crc32c_of_every_byte_is_as_the_polynomial_says),
        cmocka_unit_test(crc32c_by_cpu_and_by_table_agree_at_every_length_and_alignment),
        cmocka_unit_test(crc32c_goes_on_where_it_left_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
