/* SPDX-License-Identifier: Apache-2.0 */
/* kind.h - a kind of stage: all that whoever starts, watches and stops a pipeline must know of it.
 *
 * A kind stands once, beside the code of its stage, as a constant: its name, its ports on the
 * topics, the table of its parameters (param.h), its place in the order of starting and stopping,
 * and how a stage of it is created. A pipeline is made of *instances* of kinds, each with a name, a
 * number within its kind, and values for its parameters:
 *
 *    kind         ports                                          instances of the usual pipeline
 *    feed         publishes md                                   feed
 *    strategy     takes md, reports; publishes bbo, orders       strategy, strategy2, ...
 *    risk         takes md, reports, orders; publishes ...       risk
 *    executor     takes md, judged; publishes reports            executor
 *    recorder     follows every topic                            recorder
 *
 * A topic exists where an instance of a kind publishes on it; the first such port says which ring
 * it is. A *resource* is something that the stages of one process share, such as the books that all
 * of them would build from the same messages: the bus does not know what it is.
 */
#ifndef TICKBUS_KIND_H
#define TICKBUS_KIND_H

#include <tickbus/param.h>
#include <tickbus/stage.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TBUS_KIND_API      2u
#define TBUS_INSTANCES_MAX 16u /* of all kinds, in one pipeline */
#define TBUS_PORTS_MAX     8u  /* of one kind */

enum tbus_port_role {
    TBUS_PORT_PUBLISH = 0,
    TBUS_PORT_SUBSCRIBE = 1, /* gates: publishers wait for it */
    TBUS_PORT_CONSUME = 2,   /* competes for the messages of an mpmc ring */
    TBUS_PORT_FOLLOW = 3     /* sees all messages of any ring, and gates */
};

typedef struct tbus_port {
    const char *topic; /* NULL: every topic that there is; TBUS_PORT_FOLLOW only */
    enum tbus_port_role role;
    bool driving;    /* the input of which a poll takes `budget` messages; one of a kind at most */
    bool first_only; /* publishing: only the first instance of the kind does */
    /* publishing: the stage leaves its messages out while nobody can read them (`left_out` of
     * tbus_topic_t). A stage that reads the topic says so by a port, or serves */
    bool may_be_left_out;
    /* Publishing: what the topic is, should this be the first port that publishes on it. */
    const char *type; /* message type: "tick"; NULL: another kind's port says what the topic is */
    uint32_t type_version; /* of its layout, from 1: the journal keeps it beside the name */
    enum tbus_ring_kind ring;
    /* longest message; 0: one slot. More than a slot is cut to a quarter of the ring. */
    uint32_t msg_bytes_max;
    uint32_t slot_bytes; /* 0: the smallest, 64 */
    /* Messages are few: a small ring in pages of 4 KiB unless the configuration says otherwise. */
    bool seldom;
    const char *help; /* of the topic, for `config show` */
} tbus_port_t;

/* Shared by the stages of one process that ask for it. */
typedef struct tbus_resource {
    const char *name;     /* of its section of the configuration: "books" */
    const char *help;     /* of that section */
    tbus_params_t params; /* what create takes */
    int (*create)(const void *params, void **out_resource, tbus_error_t *err);
    void (*destroy)(void *resource); /* accepts NULL */
    /* How much memory create takes and touches, and the keys that make it less. NULL: too little to
     * speak of. */
    size_t (*memory_bytes)(const void *params);
    const char *memory_keys;
} tbus_resource_t;

/* What one process has of each resource; made when it is first asked for. */
#define TBUS_RESOURCES_MAX 4u
typedef struct tbus_crew {
    uint32_t count;
    struct {
        const tbus_resource_t *resource;
        const void *params; /* not owned */
        void *made;         /* owned; NULL: nobody has asked for it */
    } resources[TBUS_RESOURCES_MAX];
} tbus_crew_t;

/* Say with which parameters a resource is to be made. -TBUS_EFULL. */
int tbus_crew_offer(tbus_crew_t *crew, const tbus_resource_t *resource, const void *params);
/* The resource, made now if need be. -TBUS_ENOTFOUND: it was not offered; else what its create
 * returns. */
int tbus_crew_use(tbus_crew_t *crew, const tbus_resource_t *resource, void **out_resource,
                  tbus_error_t *err);
/* Destroy what was made. */
void tbus_crew_disband(tbus_crew_t *crew);

/* Parameters that depend on the value of one of the kind's own, as those of a strategy depend on
 * its name: each variant brings a table. */
typedef struct tbus_variant {
    const char *name;
    const tbus_params_t *params;
} tbus_variant_t;

/* A stage of the pipeline that trades (TBUS_KIND_TRADES), for whoever stands behind its orders. */
typedef struct tbus_trader {
    const char *name;           /* of the instance */
    const char *section;        /* of the configuration, where its parameters stand */
    uint32_t number;            /* within its kind, from 1 */
    const tbus_params_t *table; /* of the kind's parameters; NULL: none */
    const void *params;         /* the kind's struct of values */
    void *control;              /* the block that it shares with the supervisor; or NULL */
} tbus_trader_t;

/* What `create` is given. Nothing in it is needed afterwards but bus and control,
 * and the controls of traders. */
typedef struct tbus_stage_request {
    tbus_bus_t *bus;
    uint32_t owner;             /* participant number, whose life lock this process holds */
    const char *name;           /* of the instance: of its participant and its places on rings */
    uint32_t number;            /* within its kind, from 1 */
    const void *params;         /* the kind's struct of values */
    const void *variant_params; /* that of the chosen variant; NULL: the kind has none */
    void *control;              /* the block of control_bytes; or NULL */
    /* JSON about the run, for whoever records it; NULL: not known */
    const char *provenance;
    const char *configuration;
    /* the most messages that all stages of the pipeline may have under way (tbus_kind_t) */
    uint32_t messages_max;
    /* no stage of the pipeline will ever send an order, and nobody from outside may */
    bool no_orders;
    uint64_t for_ns; /* sources: end after so long; 0: when the input ends */
    /* The directory in which the run is recorded, "": nowhere. It is there from the stage's `start`
     * on. */
    const char *journal;
    tbus_crew_t *crew;
    uint32_t traders_count; /* all stages of the pipeline that trade, in its order */
    const tbus_trader_t *traders;
    /* Stages that serve: at the end, so long may giving out what is left take (`finish`). */
    uint64_t drain_ns;
} tbus_stage_request_t;

enum tbus_kind_traits {
    TBUS_KIND_SOURCE = 1,  /* brings messages in: the run ends when every source is DONE */
    TBUS_KIND_DECIDES = 2, /* a fused layout puts those that do in one process */
    TBUS_KIND_RECORDS = 4, /* starts when all others are ready; what is on the rings is its to save
                              when another stage has died */
    TBUS_KIND_TRADES = 8,  /* has orders, positions and profit of its own, for the summary */
    /* Serves who is outside, such as clients of a gateway: has a process of its own in every
     * layout, follows rings as an observer and holds none up; the others neither wait for it nor
     * fail with it, and when it dies it is started again. It is stopped last but for those that
     * record, and its `finish` may take as long as 50 s, or the request's
     * drain_ns. */
    TBUS_KIND_SERVES = 16,
    /* Its `change` has the stage read again files that its values name, which `check_change` has
     * looked at: both are called whenever the configuration is read again, also when no value has
     * changed, or when there is no file of it. */
    TBUS_KIND_REREADS = 32,
};

typedef struct tbus_kind {
    uint32_t api;          /* TBUS_KIND_API */
    uint32_t struct_bytes; /* sizeof(tbus_kind_t) */
    const char *name;
    const char *help; /* of its section of the configuration: one sentence */
    /* The section of the instance that is there without being listed; NULL: there is none. */
    const char *section;
    uint32_t traits; /* enum tbus_kind_traits */
    /* Place on the data path: stages are polled and stopped from the smallest to the largest, and
     * set running from the largest to the smallest. Feed 10, strategy 20, risk 30, executor 40,
     * those that serve 80, recorder 90. */
    uint32_t rank;
    uint32_t instances_max; /* 0: as many as a pipeline may have */
    uint32_t ports_count;
    const tbus_port_t *ports;
    const tbus_params_t *params;             /* NULL: none */
    const tbus_resource_t *const *resources; /* ended by NULL; NULL: none */
    /* Variants, by index from 0; false: past the last. NULL: none. `variant_param` names the
     * parameter whose text chooses one. */
    bool (*variant)(uint32_t index, tbus_variant_t *out_variant);
    const char *variant_param;
    /* Histograms of its stages, ended by NULL; "NAME.2" is that of instance 2. NULL: none. */
    const char *const *histograms;
    const char *errors_counter; /* sources: not 0 when the input was bad; NULL: none */
    /* A block of the directory that each instance shares with the supervisor: "INSTANCE.CONTROL",
     * zeroed. NULL and 0: none. */
    const char *control;
    size_t control_bytes;

    /* Is the unlisted instance wanted with these values? NULL: yes. */
    bool (*wanted)(const void *params);
    /* Can a stage with these values be made, as far as that can be told without making it: is the
     * file there, the directory empty? Asked before anything is started. NULL: nothing to ask. */
    int (*check)(const void *params, tbus_error_t *err);
    /* How much memory a stage with these values takes and touches, beside its resources, and the
     * keys that make it less. NULL: too little to speak of. */
    size_t (*memory_bytes)(const void *params);
    const char *memory_keys;
    /* How many messages a stage with these values may have sent that are not answered yet: whoever
     * is to answer them keeps room for those of all stages. 0: it never sends one, and where that
     * is so of all stages that may publish orders, no books are kept for orders. NULL: not known;
     * no room is kept. */
    uint32_t (*messages_max)(const void *params);
    /* The descriptor that the process inherits because the values name it; -1: none. NULL: none. */
    int (*inherited_fd)(const void *params);
    /* What an instance with these values is, for the line that a start prints: "strategy quote".
     * NULL: its name. */
    void (*describe)(const void *params, char *out_text, size_t bytes);
    /* May the values become `now` while a stage created with `first` runs? And put them in force,
     * all of them from one message to the next. NULL: never. Some parameters alone may change:
     * `may_change` says of each whether it does; those that do not are what they were in `now`.
     * may_change NULL: all do. */
    bool (*may_change)(const tbus_param_t *param);
    int (*check_change)(const void *first, const void *now, tbus_error_t *err);
    void (*change)(void *control, const void *now);

    int (*create)(const tbus_stage_request_t *request, tbus_stage_t **out_stage, tbus_error_t *err);
} tbus_kind_t;

/* Is it a kind that this build can run? -TBUS_EABI (api or size), -EINVAL (no name, create or
 * ports as they should be); err says what. */
int tbus_kind_check(const tbus_kind_t *kind, tbus_error_t *err);

#ifdef __cplusplus
}
#endif
#endif
