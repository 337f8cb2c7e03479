/* The GPUs of a machine that has none: what the stand-in libraries share with each other and with
 * the tests, as the layout of the file that STANDIN_GPUS names. gpus.py mirrors it, and gives the
 * numbers in capitals that are not defined here to the compiler.
 *
 * What a GPU holds is never kept as a sum: it is `base_bytes` plus what its processes hold. A
 * process killed at any instruction therefore leaves nothing to be put right but its own entry,
 * which goes when somebody looks and finds it dead.
 */
#ifndef STANDIN_STATE_H
#define STANDIN_STATE_H

#include <stdint.h>

#define EXPORTED __attribute__((visibility("default")))
#define UNKNOWN_BYTES (-1)
/* Above every process id that Linux gives (4194304). */
#define HOST_PIDS_BEGIN (1 << 23)

enum kind { COMPUTE, GRAPHICS };
enum listing { LISTED, LISTING_NOT_SUPPORTED, LISTING_EMPTY, LISTING_WITHOUT_MEMORY, LISTING_HOST_PIDS };
enum feature { FEATURE_NOT_SUPPORTED, FEATURE_DISABLED, FEATURE_ENABLED };

struct process {
    int32_t pid; /* 0: a free entry */
    int32_t kind;
    int64_t used_bytes;
    uint64_t started_ticks; /* of /proc; 0: not of this machine, and never found dead */
};

struct account {
    int32_t pid; /* 0: a free entry */
    int32_t running;
    int64_t peak_bytes;
    uint64_t started_us; /* since 1970 */
    uint64_t ran_ms;
};

/* What sensors show; negative: not supported. */
struct sensors {
    int32_t sm_mhz, sm_max_mhz, memory_mhz;
    int32_t temperature_c;
    int32_t power_mw, power_limit_mw;
    int32_t utilisation_percent;
    int32_t old_names; /* a driver that has clock reasons and temperature under old names only */
    int64_t clock_reasons;
};

struct gpu {
    char uuid[48];
    char name[96];
    int64_t total_bytes;
    int64_t reserved_bytes;
    int64_t base_bytes; /* held by nobody in the list */
    struct sensors sensors;
    int32_t lost;
    int32_t memory_v2_error; /* what the second version of the memory query returns */
    int32_t listing;
    int32_t accounting;
    int32_t mig;
    uint32_t accounted; /* how many there ever were: the next one's entry, and for what it wraps */
    struct process processes[MAX_PROCESSES];
    struct account accounts[MAX_ACCOUNTS];
};

struct state {
    int64_t gpu_count;
    struct gpu gpus[MAX_GPUS];
};

_Static_assert(sizeof(struct state) == STATE_BYTES, "gpus.py has another layout");

/* The machine's state; NULL where STANDIN_GPUS names none. */
struct state *machine(void);

/* Keep all others from adding entries and from allocating; ends with the process that has it. */
int lock(void);
void unlock(int locked);

/* Let go of the processes that are dead. Not for who has the lock. */
void bury_the_dead(struct gpu *gpu);

/* What the GPU holds, without what is reserved. */
int64_t held_bytes(struct gpu *gpu);

/* A process's entry, made if need be; NULL when there is no room. These three need the lock. */
struct process *enlist(struct gpu *gpu, int32_t pid, int kind);
void grow(struct gpu *gpu, struct process *entry, int64_t by_bytes);
void strike(struct gpu *gpu, struct process *entry);

#endif
