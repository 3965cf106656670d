/* SPDX-License-Identifier: MIT */
/* The state that an older program hands over: any bytes are read or refused. */
#include "tests/fuzz/fuzz.h"

#include "base/log.h"
#include "daemon/control/supervisor_serialize.h"
#include "daemon/edge/edge.h"
#include "daemon/upgrade/config_serialize.h"

static const struct config_places places = {"/run/reeve", "/var/lib/reeve",
                                            "/usr/lib/reeve/modules"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct serialize_error error = {0};
    struct config *config;
    json_t *json = json_loadb((const char *)data, size, 0, NULL), *again;

    log_set_level((enum log_level)0);
    config = json ? config_restore(json_object_get(json, "config"), &places, &error) : NULL;
    if (config) {
        (void)supervisor_check_state(json_object_get(json, "supervisor"), config, &error);
        /* A state that was read is written so that it can be read again. */
        again = config_save(config);
        config_free(config);
        config = config_restore(again, &places, &error);
        fuzz_check(config, "a configuration that was read cannot be read again: %s", error.text);
        config_free(config);
        json_decref(again);
    }
    (void)edge_check_state(json_object_get(json, "edge"), &error);
    json_decref(json);
    return 0;
}
