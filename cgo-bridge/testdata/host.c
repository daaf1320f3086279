/*
 * A host program for libdcecore.so, as an agent is one: its own signal handlers and profiler before the load, another handler
 * after it, and one thread with all asynchronous signals blocked that makes every call.
 *
 *   host LIBRARY CONFIG      each line of standard input is "OPERATION INPUT"; each gets the line "STATUS BYTES"
 *
 * The line "!measure" prints threads, resident kB and handlers; "!signals N" sends each signal N times and prints how many
 * were caught; "!time N" submits metrics N times and prints the slowest and the 99th percentile in ns.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DCE_CORE_TYPES_ONLY
#include "dcecore.h"

static volatile sig_atomic_t caught[65];

static void count(int number, siginfo_t* info, void* context) {
  (void)info, (void)context;
  caught[number]++;
}

static void handle(int number, int flags) {
  struct sigaction action = {.sa_sigaction = count, .sa_flags = SA_SIGINFO | SA_RESTART | flags};
  sigaction(number, &action, NULL);
}

static int ours(int number) {
  struct sigaction now;
  sigaction(number, NULL, &now);
  return now.sa_sigaction == count;
}

static long resident_kb(void) {
  long kb = 0;
  char line[256];
  FILE* const file = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "VmRSS: %ld kB", &kb) == 1) {
      break;
    }
  }
  fclose(file);
  return kb;
}

static int threads(void) {
  int n = 0;
  DIR* const dir = opendir("/proc/self/task");
  for (const struct dirent* e; (e = readdir(dir)) != NULL;) {
    n += e->d_name[0] != '.';
  }
  closedir(dir);
  return n;
}

struct reply {
  sem_t there;
  int32_t status;
  char* text;
  int times;
};

static void done(void* cookie, int32_t status, dce_chars* bytes, size_t len) {
  struct reply* const reply = cookie;
  reply->times++;
  reply->status = status;
  free(reply->text);
  reply->text = strndup(bytes == NULL ? "" : bytes, len);
  sem_post(&reply->there);
}

static long long nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int ascending(const void* a, const void* b) {
  const long long x = *(const long long*)a, y = *(const long long*)b;
  return (x > y) - (x < y);
}

static dce_core_submit_fn submit;
static dce_core core;
static const char* library;
static const char* config;
static long before_kb;
static int before_threads;

static void ask(const char* op, const char* input) {
  struct reply reply = {.times = 0};
  sem_init(&reply.there, 0, 0);
  /* far longer than anything takes, and shorter than what waits for an engine */
  const int32_t status = submit(core, op, strlen(op), input, strlen(input), 9000, done, &reply);
  if (status != DCE_OK) {
    printf("%d not accepted\n", status);
    return;
  }
  while (sem_wait(&reply.there) != 0) {
  }
  printf("%d %s\n", reply.status, reply.text);
  free(reply.text);
}

static void measure_time(int n) {
  long long* const took = calloc((size_t)n, sizeof *took);
  for (int i = 0; i < n; i++) {
    struct reply reply = {.times = 0};
    sem_init(&reply.there, 0, 0);
    const long long begin = nanoseconds();
    submit(core, "metrics", 7, "{}", 2, 5000, done, &reply);
    took[i] = nanoseconds() - begin;
    while (sem_wait(&reply.there) != 0) {
    }
    free(reply.text);
  }
  qsort(took, (size_t)n, sizeof *took, ascending);
  printf("%lld %lld\n", took[n - 1], took[n * 99 / 100]);
  free(took);
}

static void signals(int n) {
  static const int sent[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGCHLD};
  for (int i = 0; i < n; i++) {
    for (size_t s = 0; s < sizeof sent / sizeof *sent; s++) {
      const int had = caught[sent[s]];
      struct reply reply = {.times = 0};
      sem_init(&reply.there, 0, 0);
      submit(core, "metrics", 7, "{}", 2, 5000, done, &reply);
      kill(getpid(), sent[s]);
      for (int wait = 0; caught[sent[s]] == had && wait < 30000; wait++) {
        usleep(1000);
      }
      while (sem_wait(&reply.there) != 0) {
      }
      free(reply.text);
    }
    if (fork() == 0) { /* an agent forks all the while */
      _exit(0);
    }
    while (wait(NULL) > 0) {
    }
  }
  for (const long long end = nanoseconds() + 30000000000LL; caught[SIGPROF] == 0 && nanoseconds() < end;) {
  }
  printf("%d %d %d %d %d\n", caught[SIGUSR1], caught[SIGUSR2], caught[SIGTERM], caught[SIGCHLD], caught[SIGPROF]);
}

static void* worker(void* unused) {
  (void)unused;
  void* const lib = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (lib == NULL) {
    printf("%s\n", dlerror());
    exit(1);
  }
  dce_core_open_fn open;
  dce_core_close_fn close;
  dce_core_free_fn release;
  *(void**)&open = dlsym(lib, "dce_core_open");
  *(void**)&close = dlsym(lib, "dce_core_close");
  *(void**)&release = dlsym(lib, "dce_core_free");
  *(void**)&submit = dlsym(lib, "dce_core_submit");
  char* error = NULL;
  if (open(config, strlen(config), &core, &error) != DCE_OK) {
    printf("%s\n", error);
    release(error);
    exit(1);
  }
  handle(SIGUSR2, 0); /* as an agent does with SIGUSR1, without SA_ONSTACK */
  printf("ready\n");
  fflush(stdout);
  char* line = NULL;
  size_t size = 0;
  for (ssize_t n; (n = getline(&line, &size, stdin)) > 0;) {
    line[n - 1] = 0;
    char* const input = strchr(line, ' ');
    if (input != NULL) {
      *input = 0;
    }
    if (strcmp(line, "!measure") == 0) {
      printf("%d %ld %d\n", threads() - before_threads, resident_kb() - before_kb,
             ours(SIGUSR1) && ours(SIGUSR2) && ours(SIGTERM) && ours(SIGCHLD) && ours(SIGPROF));
    } else if (strcmp(line, "!signals") == 0) {
      signals(atoi(input + 1));
    } else if (strcmp(line, "!time") == 0) {
      measure_time(atoi(input + 1));
    } else {
      ask(line, input + 1);
    }
    fflush(stdout);
  }
  printf("%d\n", close(core));
  return NULL;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    return 2;
  }
  library = argv[1];
  config = argv[2];
  handle(SIGUSR1, 0);
  handle(SIGTERM, 0);
  handle(SIGCHLD, 0);
  handle(SIGPROF, 0);
  const struct itimerval timer = {{0, 5000}, {0, 5000}};
  setitimer(ITIMER_PROF, &timer, NULL);
  sigset_t all, mine;
  sigfillset(&all);
  static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
    sigdelset(&all, own[i]);
  }
  pthread_t thread;
  pthread_sigmask(SIG_SETMASK, &all, &mine);
  before_kb = resident_kb();
  before_threads = threads() + 1; /* the worker's is the module's own */
  pthread_create(&thread, NULL, worker, NULL);
  pthread_sigmask(SIG_SETMASK, &mine, NULL);
  pthread_join(thread, NULL);
  return 0;
}
