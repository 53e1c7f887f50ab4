/*
 * The only C of the native build: what a binding of scalars and byte spans (ffi.json) cannot say. Used by
 * ../system.native.ts alone; ../system.bun.ts says the same to glibc through bun:ffi. Results below 0 mean failure,
 * errno tells which, except where a comment says -errno.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

int ferrule_errno(void) { return errno; }

int ferrule_poll(const uint8_t *entries, size_t length, int timeout_ms) {
  return poll((struct pollfd *)(uintptr_t)entries, length / sizeof(struct pollfd), timeout_ms);
}

/* f_type as a positive number: some magics use the highest of their 32 bits. */
double ferrule_filesystem_magic(int fd) {
  struct statfs status;
  return fstatfs(fd, &status) < 0 ? -1 : (double)(uint32_t)status.f_type;
}

int ferrule_set_modification_time(int fd, double seconds) {
  const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)seconds}};
  return futimens(fd, times);
}

int ferrule_pipe(const uint8_t *fds, size_t length) {
  if (length < 2 * sizeof(int)) {
    errno = EINVAL;
    return -1;
  }
  return pipe2((int *)(uintptr_t)fds, O_CLOEXEC);
}

int ferrule_memfd(const uint8_t *name, size_t length) {
  (void)length;
  return memfd_create((const char *)name, MFD_CLOEXEC);
}

int ferrule_ioctl(int fd, uint32_t request, const uint8_t *argument, size_t length) {
  (void)length;
  return ioctl(fd, (int)request, (void *)(uintptr_t)argument);
}

/* For requests that take a number itself, and not where one is. */
int ferrule_ioctl_number(int fd, uint32_t request, uint32_t argument) { return ioctl(fd, (int)request, (unsigned long)argument); }

int ferrule_pidfd(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

double ferrule_clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Writes all of it, or fails; waits where the descriptor does not block. */
static int write_all(int fd, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, bytes, length);
    if (written >= 0) {
      bytes += written;
      length -= (size_t)written;
    } else if (errno == EAGAIN) {
      struct pollfd entry = {.fd = fd, .events = POLLOUT};
      poll(&entry, 1, -1);
    } else if (errno != EINTR) {
      return -1;
    }
  }
  return 0;
}

int ferrule_write_all(int fd, const uint8_t *bytes, size_t length) { return write_all(fd, bytes, length); }

/* ---- Signals that ask us to end ---- */

static volatile sig_atomic_t first_signal = 0;

static int set_timer(int first_ms) {
  struct itimerval timer = {
      .it_interval = {.tv_sec = first_ms > 0 ? 1 : 0},
      .it_value = {.tv_sec = first_ms / 1000, .tv_usec = first_ms % 1000 * 1000},
  };
  return setitimer(ITIMER_REAL, &timer, NULL);
}

static void note_signal(int number) {
  int saved = errno;
  if (first_signal == 0) first_signal = number;
  /* A signal may come just before a call that blocks: the timer's ticks wake that one too. */
  if (number != SIGALRM) set_timer(1000);
  errno = saved;
}

/* No SA_RESTART: a blocked call returns EINTR. SIGPIPE becomes EPIPE, so that a closed stderr cannot end an ADD. */
int ferrule_arm_signals(void) {
  struct sigaction action = {.sa_handler = note_signal};
  sigemptyset(&action.sa_mask);
  first_signal = 0;
  if (sigaction(SIGTERM, &action, NULL) < 0) return -1;
  if (sigaction(SIGINT, &action, NULL) < 0) return -1;
  if (sigaction(SIGALRM, &action, NULL) < 0) return -1;
  signal(SIGPIPE, SIG_IGN);
  return 0;
}

int ferrule_alarm(int milliseconds) { return set_timer(milliseconds); }

int ferrule_signal_received(void) { return first_signal; }

/* ---- Last words: printed when the compiled program aborts (an index past an array's end, a stack overflow) ---- */

static uint8_t *last_words = NULL;
static size_t last_words_length = 0;
static uint8_t handler_stack[16384];

static void say_last_words(int number) {
  (void)number;
  write_all(STDOUT_FILENO, last_words, last_words_length);
  _exit(1);
}

/* An empty text takes the handler away again. */
void ferrule_last_words(const uint8_t *text, size_t length) {
  struct sigaction action = {.sa_handler = SIG_DFL};
  stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack};
  uint8_t *copy = NULL;
  sigemptyset(&action.sa_mask);
  if (length > 0) {
    copy = malloc(length);
    if (copy == NULL) return;
    memcpy(copy, text, length);
    action.sa_handler = say_last_words;
    action.sa_flags = SA_ONSTACK | (int)SA_RESETHAND;
    sigaltstack(&stack, NULL);
  }
  signal(SIGABRT, SIG_DFL);
  signal(SIGSEGV, SIG_DFL);
  free(last_words);
  last_words = copy;
  last_words_length = length;
  sigaction(SIGABRT, &action, NULL);
  sigaction(SIGSEGV, &action, NULL);
}

/* ---- Children ---- */

/* A block of NUL-terminated strings as a NULL-terminated vector of pointers into it. */
static char **vector_of(const uint8_t *block, size_t length) {
  size_t count = 0;
  for (size_t i = 0; i < length; i++) count += block[i] == 0;
  char **vector = malloc((count + 1) * sizeof *vector);
  if (vector == NULL) return NULL;
  const uint8_t *next = block;
  for (size_t i = 0; i < count; i++) {
    vector[i] = (char *)(uintptr_t)next;
    next += strlen((const char *)next) + 1;
  }
  vector[count] = NULL;
  return vector;
}

struct child {
  const char *path;
  char **argv, **environment;
  int descriptors[3];
  pid_t parent;
  volatile int error;
};

/* Runs in the child, in the parent's memory (vfork): changes nothing there but child->error. */
static void become(struct child *child) {
  struct sigaction fallback = {.sa_handler = SIG_DFL};
  for (int number = 1; number < NSIG; number++) sigaction(number, &fallback, NULL);
  if (setpgid(0, 0) < 0) goto failed;
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) goto failed;
  if (getppid() != child->parent) _exit(127); /* died before the line above */
  /* First all above 2, so that none overwrites another's source. */
  for (int i = 0; i < 3; i++) {
    child->descriptors[i] = fcntl(child->descriptors[i], F_DUPFD_CLOEXEC, 3);
    if (child->descriptors[i] < 0) goto failed;
  }
  for (int i = 0; i < 3; i++)
    if (dup2(child->descriptors[i], i) < 0) goto failed;
  if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0) /* Linux 5.11 */
    for (int fd = 3; fd < 1024; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(child->path, child->argv, child->environment);
failed:
  child->error = errno;
  _exit(127);
}

/* The child's pid, or -errno. vfork: the parent waits until the child has called execve, and reads child.error then. */
int ferrule_spawn(const uint8_t *path, size_t path_length, const uint8_t *argv, size_t argv_length, const uint8_t *environment,
                  size_t environment_length, int in, int out, int err) {
  (void)path_length;
  struct child child = {
      .path = (const char *)path,
      .argv = vector_of(argv, argv_length),
      .environment = vector_of(environment, environment_length),
      .descriptors = {in, out, err},
      .parent = getpid(),
  };
  int result = -ENOMEM;
  if (child.argv != NULL && child.environment != NULL) {
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before); /* no handler of ours may run in the child: it would run in our memory */
    pid_t pid = vfork();
    if (pid == 0) become(&child);
    result = pid < 0 ? -errno : pid;
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid > 0 && child.error != 0) {
      while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
      result = -child.error;
    }
  }
  free(child.argv);
  free(child.environment);
  return result;
}

/* 0..255, 128 + signal, or -errno; -EAGAIN with WNOHANG while it runs. */
int ferrule_wait_exit(int pid, int flags) {
  int status;
  pid_t result = waitpid(pid, &status, flags);
  if (result < 0) return -errno;
  if (result == 0) return -EAGAIN;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
