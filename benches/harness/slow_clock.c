/* The clock of a function that is counted: a hundred times slower than the machine's, as the function is.
   It is loaded before the C library (LD_PRELOAD), whose clock_gettime it replaces. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SLOWER = 100, NANOSECONDS = 1000000000 };

static struct timespec monotonic, realtime;

__attribute__((constructor)) static void begin(void) {
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &monotonic);
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &realtime);
}

static void slow(struct timespec *now, const struct timespec *from) {
  long long passed = (now->tv_sec - from->tv_sec) * (long long)NANOSECONDS + now->tv_nsec - from->tv_nsec;
  long long at = from->tv_nsec + passed / SLOWER;
  now->tv_sec = from->tv_sec + at / NANOSECONDS;
  now->tv_nsec = at % NANOSECONDS;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = syscall(SYS_clock_gettime, clock, now);
  if (!failed && clock == CLOCK_MONOTONIC) slow(now, &monotonic);
  if (!failed && clock == CLOCK_REALTIME) slow(now, &realtime);
  return failed;
}
