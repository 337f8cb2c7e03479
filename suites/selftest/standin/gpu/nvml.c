/* libnvidia-ml.so.1 for a machine without a GPU: what this suite asks of NVML, and no more.
 *
 * Structures and error numbers are NVML's public interface (NVML API Reference, release 13).
 */
#include "state.h"

#include <string.h>

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    FUNCTION_NOT_FOUND = 13,
    GPU_IS_LOST = 15,
    ARGUMENT_VERSION_MISMATCH = 25,
};

#define MEMORY_V2 0x02000028u
#define TEMPERATURE_V1 0x0100000Cu
enum clock { CLOCK_GRAPHICS, CLOCK_SM, CLOCK_MEMORY };
#define NOT_AVAILABLE (~0ull)

typedef int result;
typedef struct gpu *device;

struct memory {
    unsigned long long total, free, used;
};

struct memory_v2 {
    unsigned version;
    unsigned long long total, reserved, free, used;
};

struct process_info {
    unsigned pid;
    unsigned long long used;
    unsigned gpu_instance, compute_instance;
};

struct accounting_stats {
    unsigned gpu_utilization, memory_utilization;
    unsigned long long max_memory, time_ms, start_us;
    unsigned running, reserved[5];
};

struct temperature {
    unsigned version, sensor;
    int celsius;
};

struct utilisation {
    unsigned gpu, memory;
};

static int initialized;

static result answers(device gpu)
{
    if (!initialized)
        return UNINITIALIZED;
    if (!gpu)
        return INVALID_ARGUMENT;
    return gpu->lost ? GPU_IS_LOST : SUCCESS;
}

static result put(char *out, unsigned room, const char *text)
{
    if (strlen(text) >= room)
        return INSUFFICIENT_SIZE;
    strcpy(out, text);
    return SUCCESS;
}

EXPORTED result nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    if (!machine())
        return DRIVER_NOT_LOADED;
    __atomic_add_fetch(&initialized, 1, __ATOMIC_SEQ_CST);
    return SUCCESS;
}

EXPORTED result nvmlShutdown(void)
{
    if (!initialized)
        return UNINITIALIZED;
    __atomic_sub_fetch(&initialized, 1, __ATOMIC_SEQ_CST);
    return SUCCESS;
}

EXPORTED const char *nvmlErrorString(result code)
{
    switch (code) {
    case SUCCESS: return "Success";
    case UNINITIALIZED: return "Uninitialized";
    case INVALID_ARGUMENT: return "Invalid Argument";
    case NOT_SUPPORTED: return "Not Supported";
    case NOT_FOUND: return "Not Found";
    case INSUFFICIENT_SIZE: return "Insufficient Size";
    case DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case FUNCTION_NOT_FOUND: return "Function Not Found";
    case GPU_IS_LOST: return "GPU is lost";
    case ARGUMENT_VERSION_MISMATCH: return "Argument version mismatch";
    default: return "Unknown Error";
    }
}

EXPORTED result nvmlSystemGetDriverVersion(char *version, unsigned length)
{
    return initialized ? put(version, length, DRIVER_VERSION) : UNINITIALIZED;
}

EXPORTED result nvmlDeviceGetCount_v2(unsigned *count)
{
    if (!initialized)
        return UNINITIALIZED;
    *count = (unsigned)machine()->gpu_count;
    return SUCCESS;
}

EXPORTED result nvmlDeviceGetHandleByIndex_v2(unsigned index, device *gpu)
{
    if (!initialized)
        return UNINITIALIZED;
    if (index >= machine()->gpu_count)
        return INVALID_ARGUMENT;
    *gpu = &machine()->gpus[index];
    return answers(*gpu);
}

EXPORTED result nvmlDeviceGetHandleByUUID(const char *uuid, device *gpu)
{
    if (!initialized)
        return UNINITIALIZED;
    for (int number = 0; number < machine()->gpu_count; number++) {
        *gpu = &machine()->gpus[number];
        if (!strcmp((*gpu)->uuid, uuid))
            return answers(*gpu);
    }
    return NOT_FOUND;
}

EXPORTED result nvmlDeviceGetUUID(device gpu, char *uuid, unsigned length)
{
    result said = answers(gpu);
    return said ? said : put(uuid, length, gpu->uuid);
}

EXPORTED result nvmlDeviceGetName(device gpu, char *name, unsigned length)
{
    result said = answers(gpu);
    return said ? said : put(name, length, gpu->name);
}

/* The first version counts what is reserved as used, the second does not. */
EXPORTED result nvmlDeviceGetMemoryInfo(device gpu, struct memory *memory)
{
    result said = answers(gpu);
    if (said)
        return said;
    bury_the_dead(gpu);
    int64_t used = held_bytes(gpu) + gpu->reserved_bytes;
    *memory = (struct memory){gpu->total_bytes, gpu->total_bytes - used, used};
    return SUCCESS;
}

EXPORTED result nvmlDeviceGetMemoryInfo_v2(device gpu, struct memory_v2 *memory)
{
    result said = answers(gpu);
    if (said || gpu->memory_v2_error)
        return said ? said : gpu->memory_v2_error;
    if (memory->version != MEMORY_V2)
        return ARGUMENT_VERSION_MISMATCH;
    bury_the_dead(gpu);
    int64_t used = held_bytes(gpu), total = gpu->total_bytes, reserved = gpu->reserved_bytes;
    *memory = (struct memory_v2){MEMORY_V2, total, reserved, total - used - reserved, used};
    return SUCCESS;
}

static unsigned shown_pid(device gpu, int32_t pid)
{
    return gpu->listing == LISTING_HOST_PIDS ? (unsigned)pid + HOST_PIDS_BEGIN : (unsigned)pid;
}

static unsigned long long shown_bytes(device gpu, int64_t bytes)
{
    int hidden = gpu->listing == LISTING_WITHOUT_MEMORY || gpu->mig == FEATURE_ENABLED;
    return hidden || bytes == UNKNOWN_BYTES ? NOT_AVAILABLE : (unsigned long long)bytes;
}

static result list(device gpu, int kind, unsigned *count, struct process_info *infos)
{
    result said = answers(gpu);
    if (said || gpu->listing == LISTING_NOT_SUPPORTED)
        return said ? said : NOT_SUPPORTED;
    unsigned room = infos ? *count : 0, found = 0;
    bury_the_dead(gpu);
    for (int i = 0; i < MAX_PROCESSES && gpu->listing != LISTING_EMPTY; i++) {
        struct process entry = gpu->processes[i];
        if (!entry.pid || entry.kind != kind)
            continue;
        if (found < room)
            infos[found] = (struct process_info){shown_pid(gpu, entry.pid),
                                                 shown_bytes(gpu, entry.used_bytes), ~0u, ~0u};
        found++;
    }
    *count = found;
    return found > room ? INSUFFICIENT_SIZE : SUCCESS;
}

EXPORTED result nvmlDeviceGetComputeRunningProcesses_v3(device gpu, unsigned *count,
                                                        struct process_info *infos)
{
    return list(gpu, COMPUTE, count, infos);
}

EXPORTED result nvmlDeviceGetGraphicsRunningProcesses_v3(device gpu, unsigned *count,
                                                         struct process_info *infos)
{
    return list(gpu, GRAPHICS, count, infos);
}

EXPORTED result nvmlDeviceGetMigMode(device gpu, unsigned *current, unsigned *pending)
{
    result said = answers(gpu);
    if (said || gpu->mig == FEATURE_NOT_SUPPORTED)
        return said ? said : NOT_SUPPORTED;
    *current = *pending = gpu->mig == FEATURE_ENABLED;
    return SUCCESS;
}

static result show(device gpu, int32_t shown, unsigned *out)
{
    result said = answers(gpu);
    if (said || shown < 0)
        return said ? said : NOT_SUPPORTED;
    *out = (unsigned)shown;
    return SUCCESS;
}

EXPORTED result nvmlDeviceGetClockInfo(device gpu, int clock, unsigned *mhz)
{
    return show(gpu, clock == CLOCK_MEMORY ? gpu->sensors.memory_mhz : gpu->sensors.sm_mhz, mhz);
}

EXPORTED result nvmlDeviceGetMaxClockInfo(device gpu, int clock, unsigned *mhz)
{
    return show(gpu, clock == CLOCK_MEMORY ? -1 : gpu->sensors.sm_max_mhz, mhz);
}

EXPORTED result nvmlDeviceGetPowerUsage(device gpu, unsigned *milliwatts)
{
    return show(gpu, gpu->sensors.power_mw, milliwatts);
}

EXPORTED result nvmlDeviceGetEnforcedPowerLimit(device gpu, unsigned *milliwatts)
{
    return show(gpu, gpu->sensors.power_limit_mw, milliwatts);
}

EXPORTED result nvmlDeviceGetTemperature(device gpu, int sensor, unsigned *celsius)
{
    return sensor ? INVALID_ARGUMENT : show(gpu, gpu->sensors.temperature_c, celsius);
}

EXPORTED result nvmlDeviceGetTemperatureV(device gpu, struct temperature *temperature)
{
    if (gpu->sensors.old_names)
        return FUNCTION_NOT_FOUND;
    if (temperature->version != TEMPERATURE_V1)
        return ARGUMENT_VERSION_MISMATCH;
    return show(gpu, gpu->sensors.temperature_c, (unsigned *)&temperature->celsius);
}

EXPORTED result nvmlDeviceGetUtilizationRates(device gpu, struct utilisation *rates)
{
    rates->memory = 0;
    return show(gpu, gpu->sensors.utilisation_percent, &rates->gpu);
}

EXPORTED result nvmlDeviceGetCurrentClocksThrottleReasons(device gpu, unsigned long long *reasons)
{
    result said = answers(gpu);
    if (said || gpu->sensors.clock_reasons < 0)
        return said ? said : NOT_SUPPORTED;
    *reasons = (unsigned long long)gpu->sensors.clock_reasons;
    return SUCCESS;
}

EXPORTED result nvmlDeviceGetCurrentClocksEventReasons(device gpu, unsigned long long *reasons)
{
    if (gpu->sensors.old_names)
        return FUNCTION_NOT_FOUND;
    return nvmlDeviceGetCurrentClocksThrottleReasons(gpu, reasons);
}

static result accounts(device gpu)
{
    result said = answers(gpu);
    int never = gpu->accounting == FEATURE_NOT_SUPPORTED || gpu->mig == FEATURE_ENABLED;
    return said || !never ? said : NOT_SUPPORTED;
}

EXPORTED result nvmlDeviceGetAccountingMode(device gpu, unsigned *mode)
{
    result said = accounts(gpu);
    if (!said)
        *mode = gpu->accounting == FEATURE_ENABLED;
    return said;
}

EXPORTED result nvmlDeviceGetAccountingBufferSize(device gpu, unsigned *size)
{
    *size = MAX_ACCOUNTS;
    return accounts(gpu);
}

EXPORTED result nvmlDeviceGetAccountingPids(device gpu, unsigned *count, unsigned *pids)
{
    result said = accounts(gpu);
    if (said || gpu->accounting != FEATURE_ENABLED)
        return said ? said : NOT_SUPPORTED;
    unsigned room = *count;
    *count = 0;
    bury_the_dead(gpu);
    for (int i = 0; i < MAX_ACCOUNTS; i++) {
        if (!gpu->accounts[i].pid)
            continue;
        if (*count < room)
            pids[*count] = shown_pid(gpu, gpu->accounts[i].pid);
        ++*count;
    }
    return *count > room ? INSUFFICIENT_SIZE : SUCCESS;
}

EXPORTED result nvmlDeviceGetAccountingStats(device gpu, unsigned pid,
                                             struct accounting_stats *stats)
{
    result said = accounts(gpu);
    if (said || gpu->accounting != FEATURE_ENABLED)
        return said ? said : NOT_SUPPORTED;
    struct account *latest = NULL;
    bury_the_dead(gpu);
    for (int i = 0; i < MAX_ACCOUNTS; i++) {
        struct account *account = &gpu->accounts[i];
        if (account->pid && shown_pid(gpu, account->pid) == pid &&
            (!latest || account->started_us > latest->started_us))
            latest = account;
    }
    if (!latest)
        return NOT_FOUND;
    *stats = (struct accounting_stats){.max_memory = shown_bytes(gpu, latest->peak_bytes),
                                       .time_ms = latest->ran_ms,
                                       .start_us = latest->started_us,
                                       .running = (unsigned)latest->running};
    return SUCCESS;
}

/* The suite never calls it; a test would see that it did. */
EXPORTED result nvmlDeviceSetAccountingMode(device gpu, unsigned mode)
{
    result said = accounts(gpu);
    if (!said)
        gpu->accounting = mode ? FEATURE_ENABLED : FEATURE_DISABLED;
    return said;
}
