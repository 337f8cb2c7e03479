#define _GNU_SOURCE
#include "state.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WATCHED 64

/* The living, by descriptors that the kernel makes readable at their end: asking one costs a
 * fraction of reading /proc, and a reader asks hundreds of times a second. */
static struct watch {
    int32_t pid;
    uint64_t started_ticks;
    int fd;
} watches[WATCHED];
static unsigned watches_made;
static pthread_mutex_t watching = PTHREAD_MUTEX_INITIALIZER;

struct state *machine(void)
{
    static struct state *mapped;
    const char *path = getenv("STANDIN_GPUS");
    if (mapped || !path)
        return mapped;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    void *at = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    mapped = at == MAP_FAILED ? NULL : at;
    return mapped;
}

int lock(void)
{
    /* A descriptor of its own for each holder: threads and forks exclude each other too. */
    int fd = open(getenv("STANDIN_GPUS"), O_RDWR | O_CLOEXEC);
    while (fd >= 0 && flock(fd, LOCK_EX))
        ;
    return fd;
}

void unlock(int locked)
{
    flock(locked, LOCK_UN);
    close(locked);
}

/* When the process started, in ticks since boot; 0 for one that is dead, a zombie too. */
static uint64_t started_ticks(int32_t pid)
{
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length > 0 ? length : 0] = 0;
    char state = 'X';
    unsigned long long ticks = 0;
    char *rest = strrchr(text, ')');
    if (rest)
        sscanf(rest + 1,
               " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
               &state, &ticks);
    return state == 'Z' || state == 'X' ? 0 : ticks;
}

static int lives(int32_t pid, uint64_t ticks)
{
    int living;
    pthread_mutex_lock(&watching);
    struct watch *watch = watches;
    while (watch < watches + WATCHED && !(watch->pid == pid && watch->started_ticks == ticks))
        watch++;
    if (watch == watches + WATCHED) {
        watch = &watches[watches_made++ % WATCHED];
        if (watch->pid && watch->fd >= 0)
            close(watch->fd);
        *watch = (struct watch){pid, ticks, (int)syscall(SYS_pidfd_open, pid, 0)};
        /* After it was opened: the number cannot have gone to another one in between. */
        living = started_ticks(pid) == ticks;
    } else if (watch->fd < 0) {
        living = started_ticks(pid) == ticks;
    } else {
        struct pollfd end = {watch->fd, POLLIN, 0};
        living = poll(&end, 1, 0) == 0;
    }
    pthread_mutex_unlock(&watching);
    return living;
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static struct account *account_of(struct gpu *gpu, int32_t pid)
{
    for (struct account *account = gpu->accounts; account < gpu->accounts + MAX_ACCOUNTS; account++)
        if (account->pid == pid && account->running)
            return account;
    return NULL;
}

static void open_account(struct gpu *gpu, int32_t pid)
{
    struct account *account = &gpu->accounts[gpu->accounted++ % MAX_ACCOUNTS];
    *account = (struct account){0, 1, 0, now_us(), 0};
    __atomic_store_n(&account->pid, pid, __ATOMIC_RELEASE);
}

struct process *enlist(struct gpu *gpu, int32_t pid, int kind)
{
    struct process *end = gpu->processes + MAX_PROCESSES, *entry;
    for (entry = gpu->processes; entry < end; entry++)
        if (entry->pid == pid)
            return entry;
    for (entry = gpu->processes; entry < end && entry->pid; entry++)
        ;
    if (entry == end)
        return NULL;
    if (gpu->accounting == FEATURE_ENABLED)
        open_account(gpu, pid);
    *entry = (struct process){0, kind, 0, started_ticks(pid)};
    __atomic_store_n(&entry->pid, pid, __ATOMIC_RELEASE);
    return entry;
}

void grow(struct gpu *gpu, struct process *entry, int64_t by_bytes)
{
    int64_t now_bytes = __atomic_add_fetch(&entry->used_bytes, by_bytes, __ATOMIC_SEQ_CST);
    struct account *account = account_of(gpu, entry->pid);
    if (account && account->peak_bytes < now_bytes)
        __atomic_store_n(&account->peak_bytes, now_bytes, __ATOMIC_SEQ_CST);
}

void strike(struct gpu *gpu, struct process *entry)
{
    struct account *account = account_of(gpu, entry->pid);
    if (account) {
        account->ran_ms = (now_us() - account->started_us) / 1000;
        account->running = 0;
    }
    __atomic_store_n(&entry->pid, 0, __ATOMIC_RELEASE);
}

static void bury(struct gpu *gpu, struct process *entry, int32_t pid, uint64_t ticks)
{
    int locked = lock();
    if (entry->pid == pid && entry->started_ticks == ticks)
        strike(gpu, entry);
    unlock(locked);
}

void bury_the_dead(struct gpu *gpu)
{
    for (struct process *entry = gpu->processes; entry < gpu->processes + MAX_PROCESSES; entry++) {
        int32_t pid = __atomic_load_n(&entry->pid, __ATOMIC_ACQUIRE);
        uint64_t ticks = entry->started_ticks;
        if (pid && ticks && !lives(pid, ticks))
            bury(gpu, entry, pid, ticks);
    }
}

int64_t held_bytes(struct gpu *gpu)
{
    int64_t bytes = __atomic_load_n(&gpu->base_bytes, __ATOMIC_SEQ_CST);
    for (struct process *entry = gpu->processes; entry < gpu->processes + MAX_PROCESSES; entry++) {
        int64_t held = __atomic_load_n(&entry->used_bytes, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&entry->pid, __ATOMIC_ACQUIRE) && held != UNKNOWN_BYTES)
            bytes += held;
    }
    return bytes;
}
