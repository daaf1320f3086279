/*
 * Holds a core to dcecore.h, the C stub and the Go one alike.
 * Usage: abi_test LIBRARY [DOCKER_HOST]. DOCKER_HOST is an engine that never answers; by default a socket that is made here.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DCE_CORE_TYPES_ONLY
#include "dcecore.h"

static dce_core_abi_version_fn abi_version;
static dce_core_open_fn core_open;
static dce_core_submit_fn core_submit;
static dce_core_close_fn core_close;
static dce_core_free_fn core_free;

static int failures;

#define CHECK(condition, ...)                                \
  do {                                                       \
    if (!(condition)) {                                      \
      failures++;                                            \
      printf("%s:%d: %s: ", __FILE__, __LINE__, #condition); \
      printf(__VA_ARGS__);                                   \
      printf("\n");                                          \
    }                                                        \
  } while (0)

/* What a callback reported. */
struct end {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int times;
  int32_t status;
  char* body;
  pthread_t thread;
};

static struct end* new_end(void) {
  struct end* const end = calloc(1, sizeof *end);
  pthread_mutex_init(&end->mutex, NULL);
  pthread_cond_init(&end->changed, NULL);
  return end;
}

static void free_end(struct end* end) {
  free(end->body);
  free(end);
}

static void done(void* cookie, int32_t status, dce_chars* bytes, size_t len) {
  struct end* const end = cookie;
  pthread_mutex_lock(&end->mutex);
  end->times++;
  end->status = status;
  free(end->body);
  end->body = bytes == NULL ? strdup("") : strndup(bytes, len);
  end->thread = pthread_self();
  pthread_cond_signal(&end->changed);
  pthread_mutex_unlock(&end->mutex);
}

static int times(struct end* end) {
  pthread_mutex_lock(&end->mutex);
  const int n = end->times;
  pthread_mutex_unlock(&end->mutex);
  return n;
}

/* Waits for the callback; false after a minute. */
static int await(struct end* end) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 60;
  int late = 0;
  pthread_mutex_lock(&end->mutex);
  while (end->times == 0 && late == 0) {
    late = pthread_cond_timedwait(&end->changed, &end->mutex, &until);
  }
  pthread_mutex_unlock(&end->mutex);
  return late == 0;
}

static double milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Submits with buffers that are gone right after the call, as they may be. */
static int32_t submit(dce_core core, const char* op, const char* input, size_t len, uint32_t timeout_ms, struct end* end) {
  char* const op_copy = strdup(op);
  char* const input_copy = malloc(len + 1);
  memcpy(input_copy, input, len);
  const int32_t status = core_submit(core, op_copy, strlen(op), input_copy, len, timeout_ms, done, end);
  memset(op_copy, 'x', strlen(op));
  memset(input_copy, 'x', len);
  free(op_copy);
  free(input_copy);
  return status;
}

static dce_core must_open(const char* config) {
  dce_core core = 0;
  char* error = NULL;
  const int32_t status = core_open(config, strlen(config), &core, &error);
  CHECK(status == DCE_OK && core != 0 && error == NULL, "open: %d %s", status, error == NULL ? "" : error);
  core_free(error);
  return core;
}

static void must_not_open(const char* config, size_t len) {
  dce_core core = 7;
  char* error = NULL;
  const int32_t status = core_open(config, len, &core, &error);
  CHECK(status != DCE_OK && core == 0, "%.*s: status %d", (int)len, config, status);
  CHECK(error != NULL && strlen(error) > 10, "%.*s: no sentence", (int)len, config);
  core_free(error);
}

static void opening(const char* config) {
  must_not_open("", 0);
  must_not_open("no JSON", 7);
  must_not_open("[]", 2);
  must_not_open("{\"dockerhost\":\"x\"}", 18);
  must_not_open("{\"grace\":3}", 11);
  must_not_open("{}\0{}", 5);
  const dce_core core = must_open(config);
  must_not_open(config, strlen(config)); /* one at a time */
  CHECK(core_close(core) == DCE_OK, "the first close");
  CHECK(core_close(core) == DCE_CLOSED, "the second close");
  CHECK(core_close(0) == DCE_CLOSED, "no handle");
  struct end* const end = new_end();
  CHECK(submit(core, "metrics", "{}", 2, 1000, end) == DCE_CLOSED, "after close");
  const dce_core next = must_open(config);
  CHECK(next != core, "a handle was used again");
  CHECK(submit(core, "metrics", "{}", 2, 1000, end) == DCE_CLOSED, "a handle of before");
  CHECK(core_submit(next, "metrics", 7, "{}", 2, 1000, NULL, NULL) == DCE_INVALID, "no callback");
  CHECK(core_close(next) == DCE_OK, "close");
  CHECK(times(end) == 0, "called without being accepted");
  free_end(end);
  core_free(NULL);
}

static const char* const inputs[][2] = {
    {"attach", "{\"module\":\"isolator\"}"},
    {"recover",
     "{\"states\":[{\"container_id\":{\"value\":\"a \\\"$(touch x)\\\" \xc3\xa9\"},\"directory\":\"/var/lib/mesos/slaves/S/"
     "frameworks/F/executors/E/runs/a\",\"executor_info\":{\"framework_id\":{\"value\":\"F\"},\"executor_id\":{\"value\":"
     "\"E\"}},\"pid\":1}],\"orphans\":[{\"value\":\"b\"}]}"},
    {"hook.removed", "{\"framework\":\"F\",\"executor\":\"E\",\"at_ns\":1700000000000000000}"},
    {"prepare",
     "{\"container\":\"c\",\"config\":{\"directory\":\"/var/lib/mesos/slaves/S/frameworks/F/executors/E/runs/c\","
     "\"executor_info\":{\"framework_id\":{\"value\":\"F\"},\"executor_id\":{\"value\":\"E\"},\"later\":1},\"command_info\":"
     "{\"value\":\"sleep 1\",\"shell\":true},\"resources\":[{\"name\":\"mem\",\"scalar\":{\"value\":64.5}}],"
     "\"limits\":{\"cpus\":{\"value\":-1}}}}"},
    {"update", "{\"container\":\"c\",\"config\":{}}"},
    {"usage", "{\"container\":\"c\"}"},
    {"attribute", "{\"container\":\"c\"}"},
    {"cleanup", "{\"container\":\"c\"}"},
    {"reconcile", "{}"},
    {"metrics", "{}"},
};
enum { kInputs = sizeof inputs / sizeof *inputs };

/* Every operation ends once, on another thread, within its deadline, and with what the status demands. A machine that
 * stands still makes one late, or a few. */
static void operations(const char* config) {
  const dce_core core = must_open(config);
  int late = 0;
  for (int i = 0; i < 20 * kInputs; i++) {
    const char* const op = inputs[i % kInputs][0];
    struct end* const end = new_end();
    const double begin = milliseconds();
    CHECK(submit(core, op, inputs[i % kInputs][1], strlen(inputs[i % kInputs][1]), 100, end) == DCE_OK, "%s", op);
    CHECK(await(end), "%s did not end", op);
    late += milliseconds() - begin >= 1000;
    CHECK(!pthread_equal(end->thread, pthread_self()), "%s ended within submit", op);
    const size_t n = strlen(end->body);
    if (end->status == DCE_OK) {
      CHECK(n >= 2 && end->body[0] == '{' && end->body[n - 1] == '}', "%s: %s", op, end->body);
    } else {
      CHECK(n > 10, "%s: status %d without a sentence", op, end->status);
      CHECK(end->status != DCE_INVALID && end->status != DCE_PANIC, "%s: %d %s", op, end->status, end->body);
    }
    usleep(1000);
    CHECK(times(end) == 1, "%s ended %d times", op, times(end));
    free_end(end);
  }
  CHECK(late < kInputs, "%d of %d operations took a second or more", late, 20 * kInputs);
  CHECK(core_close(core) == DCE_OK, "close");
}

/* Whatever comes in: a status and a sentence. */
static void nonsense(const char* config) {
  const dce_core core = must_open(config);
  char deep[4096];
  memset(deep, '[', sizeof deep);
  const struct {
    const char* op;
    const char* input;
    size_t len;
  } bad[] = {
      {"", "{}", 2},
      {"no.such", "{}", 2},
      {"prepare", "", 0},
      {"prepare", "{", 1},
      {"cleanup", "{\"container\":\xff", 14},
      {"cleanup", deep, sizeof deep},
      {"metrics", "{}\0", 3},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct end* const end = new_end();
    CHECK(submit(core, bad[i].op, bad[i].input, bad[i].len, 1000, end) == DCE_OK, "%zu", i);
    CHECK(await(end) && end->status == DCE_INVALID && strlen(end->body) > 10, "%zu: %d %s", i, end->status, end->body);
    free_end(end);
  }
  CHECK(core_close(core) == DCE_OK, "close");
}

/* Close ends what is under way, once, and nothing is called after it. True where neither it nor a submit took long. */
static int closing(const char* config) {
  enum { kMany = 200 };
  static struct end* ends[kMany];
  int32_t accepted[kMany];
  const dce_core core = must_open(config);
  double slowest = 0;
  for (int i = 0; i < kMany; i++) {
    ends[i] = new_end();
    const char* const* const one = inputs[i % kInputs];
    const double begin = milliseconds();
    accepted[i] = submit(core, one[0], one[1], strlen(one[1]), 0, ends[i]);
    slowest = milliseconds() - begin > slowest ? milliseconds() - begin : slowest;
    CHECK(accepted[i] == DCE_OK || accepted[i] == DCE_BUSY, "submit: %d", accepted[i]);
  }
  const double begin = milliseconds();
  CHECK(core_close(core) == DCE_OK, "close");
  const double took = milliseconds() - begin;
  int before[kMany];
  for (int i = 0; i < kMany; i++) {
    before[i] = times(ends[i]);
    CHECK(before[i] == (accepted[i] == DCE_OK), "operation %d ended %d times", i, before[i]);
  }
  usleep(200000);
  for (int i = 0; i < kMany; i++) {
    CHECK(times(ends[i]) == before[i], "operation %d ended after close", i);
    free_end(ends[i]);
  }
  printf("a submit took %.1f ms at most, and close %.0f ms\n", slowest, took);
  return slowest < 20 && took < 1000;
}

/* Puts the address of a function into a pointer to it, in the way that POSIX has for what ISO C does not. */
static void find(void* library, const char* symbol, void* function) {
  *(void**)function = dlsym(library, symbol);
  if (*(void**)function == NULL) {
    printf("the symbol %s is missing\n", symbol);
    exit(1);
  }
}

/* A unix socket that takes connections and says nothing. */
static void black_hole(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr*)&address, sizeof address) != 0 || listen(fd, 1024) != 0) {
    perror(path);
    exit(1);
  }
}

static int removed(const char* path, const struct stat* info, int kind, struct FTW* at) {
  (void)info, (void)kind, (void)at;
  return remove(path);
}

int main(int argc, char** argv) {
  if (argc < 2) {
    printf("usage: %s LIBRARY [DOCKER_HOST]\n", argv[0]);
    return 2;
  }
  void* const library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == NULL) {
    printf("%s\n", dlerror());
    return 1;
  }
  find(library, "dce_core_abi_version", &abi_version);
  find(library, "dce_core_open", &core_open);
  find(library, "dce_core_submit", &core_submit);
  find(library, "dce_core_close", &core_close);
  find(library, "dce_core_free", &core_free);
  CHECK(abi_version() == DCE_CORE_ABI_VERSION, "version %u", abi_version());
  const uint32_t* data = NULL;
  find(library, "dce_core_abi", &data);
  CHECK(*data == DCE_CORE_ABI_VERSION, "version %u as data", *data);

  char folder[] = "/tmp/dce-abi-XXXXXX";
  char hole[64];
  char host[256];
  char config[1024];
  if (mkdtemp(folder) == NULL) {
    perror(folder);
    return 1;
  }
  snprintf(hole, sizeof hole, "%s/engine.sock", folder);
  black_hole(hole);
  snprintf(host, sizeof host, "unix://%s", hole);
  snprintf(config, sizeof config,
           "{\"docker_host\":\"%s\",\"cgroups_root\":\"dce-abi-test\",\"runtime_dir\":\"%s\",\"use_hierarchy\":\"off\","
           "\"grace\":\"1hrs\",\"dry_run\":\"true\",\"log_level\":\"error\"}",
           argc > 2 ? argv[2] : host, folder);
  opening(config);
  operations(config);
  nonsense(config);
  int quick = 0; /* what else runs on the machine only ever adds */
  for (int i = 0; i < 5 && !quick; i++) {
    quick = closing(config);
  }
  CHECK(quick, "a submit took 20 ms or more or close a second or more, five times");
  nftw(folder, removed, 8, FTW_DEPTH | FTW_PHYS);
  printf(failures == 0 ? "the core keeps its promises\n" : "%d promises broken\n", failures);
  return failures == 0 ? 0 : 1;
}
