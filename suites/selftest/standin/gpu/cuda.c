/* libcuda.so.1 for a machine without a GPU: contexts and memory that a stand-in NVML can see.
 *
 * Names and error numbers are the public interface of the CUDA driver API. Nothing is computed,
 * and the addresses that it gives lead nowhere.
 */
#define _GNU_SOURCE
#include "state.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    DEVICE_UNAVAILABLE = 46,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_CONTEXT = 201,
    UNKNOWN = 999,
};

typedef int result;
typedef unsigned long long address;

struct context {
    int device, uses;
};

struct block {
    struct block *next;
    struct context *of;
    address at;
    int64_t bytes;
};

static pid_t initialized_in;
static struct gpu *visible[MAX_GPUS];
static int visible_count;
static struct context *primary[MAX_GPUS];
static struct block *blocks;
static address next_address = 0x700000000000ull;
static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;
static __thread struct context *current;

static const struct error {
    result code;
    const char *name, *text;
} errors[] = {
    {SUCCESS, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {DEVICE_UNAVAILABLE, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
    {NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

static const struct error *error_of(result code)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == code)
            return &errors[i];
    return NULL;
}

EXPORTED result cuGetErrorName(result code, const char **name)
{
    const struct error *error = error_of(code);
    *name = error ? error->name : NULL;
    return error ? SUCCESS : INVALID_VALUE;
}

EXPORTED result cuGetErrorString(result code, const char **text)
{
    const struct error *error = error_of(code);
    *text = error ? error->text : NULL;
    return error ? SUCCESS : INVALID_VALUE;
}

/* The GPU that one word of CUDA_VISIBLE_DEVICES means: a number, or how its UUID begins. */
static struct gpu *named(const char *word)
{
    char *end;
    struct state *here = machine();
    long number = strtol(word, &end, 10);
    if (end != word && !*end)
        return number >= 0 && number < here->gpu_count ? &here->gpus[number] : NULL;
    for (int i = 0; i < here->gpu_count; i++)
        if (!strncasecmp(word, "GPU-", 4) && !strncasecmp(here->gpus[i].uuid, word, strlen(word)))
            return &here->gpus[i];
    return NULL;
}

static void see(void)
{
    const char *asked = getenv("CUDA_VISIBLE_DEVICES");
    visible_count = 0;
    if (!asked) {
        while (visible_count < machine()->gpu_count) {
            visible[visible_count] = &machine()->gpus[visible_count];
            visible_count++;
        }
        return;
    }
    /* As in CUDA, the first word that means nothing hides all that follow. */
    char *words = strdup(asked), *rest = words, *word;
    struct gpu *gpu;
    while (visible_count < MAX_GPUS && (word = strsep(&rest, ",")) && (gpu = named(word)))
        visible[visible_count++] = gpu;
    free(words);
}

EXPORTED result cuInit(unsigned flags)
{
    if (flags)
        return INVALID_VALUE;
    if (!machine())
        return NO_DEVICE;
    if (initialized_in && initialized_in != getpid())
        return NOT_INITIALIZED;
    see();
    if (!visible_count)
        return NO_DEVICE;
    initialized_in = getpid();
    return SUCCESS;
}

/* A fork has no CUDA: what its parent initialized is not for it. */
static result ready(void)
{
    return initialized_in == getpid() ? SUCCESS : NOT_INITIALIZED;
}

static result has(int device)
{
    if (ready())
        return NOT_INITIALIZED;
    if (device < 0 || device >= visible_count)
        return INVALID_DEVICE;
    return visible[device]->lost ? DEVICE_UNAVAILABLE : SUCCESS;
}

EXPORTED result cuDriverGetVersion(int *version)
{
    *version = CUDA_VERSION;
    return SUCCESS;
}

EXPORTED result cuDeviceGetCount(int *count)
{
    *count = visible_count;
    return ready();
}

EXPORTED result cuDeviceGet(int *device, int ordinal)
{
    *device = ordinal;
    return has(ordinal);
}

EXPORTED result cuDeviceGetName(char *name, int length, int device)
{
    result said = has(device);
    if (!said)
        snprintf(name, (size_t)length, "%s", visible[device]->name);
    return said;
}

EXPORTED result cuDeviceGetUuid_v2(unsigned char *uuid, int device)
{
    result said = has(device);
    if (said)
        return said;
    unsigned byte;
    const char *text = visible[device]->uuid + strlen("GPU-");
    for (int i = 0; i < 16; i++, text += 2) {
        text += *text == '-';
        sscanf(text, "%2x", &byte);
        uuid[i] = (unsigned char)byte;
    }
    return SUCCESS;
}

EXPORTED result cuDeviceGetUuid(unsigned char *uuid, int device)
{
    return cuDeviceGetUuid_v2(uuid, device);
}

EXPORTED result cuDeviceTotalMem_v2(size_t *bytes, int device)
{
    result said = has(device);
    if (!said)
        *bytes = (size_t)visible[device]->total_bytes;
    return said;
}

/* Take memory for this process, or give it back when negative; it is listed while it has any. */
static result take(struct gpu *gpu, int64_t bytes)
{
    result said = SUCCESS;
    bury_the_dead(gpu);
    int locked = lock();
    struct process *entry = enlist(gpu, getpid(), COMPUTE);
    if (!entry)
        said = UNKNOWN;
    else if (bytes > 0 && held_bytes(gpu) + gpu->reserved_bytes + bytes > gpu->total_bytes)
        said = OUT_OF_MEMORY;
    else
        grow(gpu, entry, bytes);
    if (entry && !entry->used_bytes)
        strike(gpu, entry);
    unlock(locked);
    return said;
}

static result make(struct context **context, int device)
{
    result said = has(device);
    if (said || (said = take(visible[device], CONTEXT_BYTES)))
        return said;
    *context = malloc(sizeof **context);
    **context = (struct context){device, 1};
    return SUCCESS;
}

/* A context goes with all the memory that was allocated in it. */
static void end(struct context *context)
{
    int64_t bytes = CONTEXT_BYTES;
    for (struct block **link = &blocks, *block; (block = *link);) {
        if (block->of != context) {
            link = &block->next;
            continue;
        }
        bytes += block->bytes;
        *link = block->next;
        free(block);
    }
    take(visible[context->device], -bytes);
    if (current == context)
        current = NULL;
    free(context);
}

EXPORTED result cuDevicePrimaryCtxRetain(struct context **context, int device)
{
    result said = has(device);
    pthread_mutex_lock(&busy);
    if (!said && primary[device])
        primary[device]->uses++;
    else if (!said)
        said = make(&primary[device], device);
    if (!said)
        *context = primary[device];
    pthread_mutex_unlock(&busy);
    return said;
}

EXPORTED result cuDevicePrimaryCtxRelease_v2(int device)
{
    result said = has(device);
    pthread_mutex_lock(&busy);
    if (!said && !primary[device])
        said = INVALID_CONTEXT;
    if (!said && !--primary[device]->uses) {
        end(primary[device]);
        primary[device] = NULL;
    }
    pthread_mutex_unlock(&busy);
    return said;
}

EXPORTED result cuDevicePrimaryCtxRelease(int device)
{
    return cuDevicePrimaryCtxRelease_v2(device);
}

EXPORTED result cuCtxCreate_v2(struct context **context, unsigned flags, int device)
{
    (void)flags;
    pthread_mutex_lock(&busy);
    result said = make(context, device);
    pthread_mutex_unlock(&busy);
    if (!said)
        current = *context;
    return said;
}

EXPORTED result cuCtxDestroy_v2(struct context *context)
{
    if (ready())
        return NOT_INITIALIZED;
    if (!context)
        return INVALID_CONTEXT;
    pthread_mutex_lock(&busy);
    end(context);
    pthread_mutex_unlock(&busy);
    return SUCCESS;
}

EXPORTED result cuCtxSetCurrent(struct context *context)
{
    current = context;
    return ready();
}

EXPORTED result cuCtxGetCurrent(struct context **context)
{
    *context = current;
    return ready();
}

EXPORTED result cuCtxGetDevice(int *device)
{
    if (ready())
        return NOT_INITIALIZED;
    if (!current)
        return INVALID_CONTEXT;
    *device = current->device;
    return SUCCESS;
}

static result usable(void)
{
    if (ready())
        return NOT_INITIALIZED;
    return current ? has(current->device) : INVALID_CONTEXT;
}

EXPORTED result cuCtxSynchronize(void)
{
    return usable();
}

EXPORTED result cuMemAlloc_v2(address *at, size_t bytes)
{
    result said = usable();
    if (!said && (!bytes || bytes > INT64_MAX / 2))
        said = bytes ? OUT_OF_MEMORY : INVALID_VALUE;
    if (said)
        return said;
    pthread_mutex_lock(&busy);
    said = take(visible[current->device], (int64_t)bytes);
    if (!said) {
        struct block *block = malloc(sizeof *block);
        *block = (struct block){blocks, current, next_address, (int64_t)bytes};
        blocks = block;
        next_address += (bytes + 511) / 512 * 512;
        *at = block->at;
    }
    pthread_mutex_unlock(&busy);
    return said;
}

EXPORTED result cuMemFree_v2(address at)
{
    result said = ready();
    if (said || !at)
        return said;
    said = INVALID_VALUE;
    pthread_mutex_lock(&busy);
    for (struct block **link = &blocks, *block; (block = *link); link = &block->next) {
        if (block->at != at)
            continue;
        said = take(visible[block->of->device], -block->bytes);
        *link = block->next;
        free(block);
        break;
    }
    pthread_mutex_unlock(&busy);
    return said;
}

EXPORTED result cuMemGetInfo_v2(size_t *free_bytes, size_t *total)
{
    result said = usable();
    if (said)
        return said;
    struct gpu *gpu = visible[current->device];
    bury_the_dead(gpu);
    *free_bytes = (size_t)(gpu->total_bytes - gpu->reserved_bytes - held_bytes(gpu));
    *total = (size_t)(gpu->total_bytes - gpu->reserved_bytes);
    return SUCCESS;
}
