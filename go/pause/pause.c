//go:build ignore

/*
 * pause is the first process of a pod's infra container: it holds the namespaces, reaps zombies where the pid namespace
 * is shared, and exits 0 on SIGTERM and SIGINT, as PID 1 and otherwise. No libc, nothing allocated. Built by
 *
 *   gcc -Os -static -nostdlib -ffreestanding -fno-pie -no-pie -fno-ident -fno-stack-protector \
 *     -fno-asynchronous-unwind-tables -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,noexecstack -s \
 *     -Wall -Wextra -Werror -o go/pause/pause go/pause/pause.c
 *
 * `pause connect 4|6 PORT SECONDS`, run beside it, is how checks get into the pod's network: it connects to PORT of
 * 127.0.0.1 or ::1, writes a '+', and then passes on what comes from stdin, and to stdout what comes back. It exits with
 * 0 once the other side has closed, and with the errno of what failed, 22 (EINVAL) for bad arguments. SIGALRM ends it
 * after SECONDS (0: never), and a second after the end of stdin: whoever asked for it can't leave it behind.
 *
 * The line at the top keeps the Go tool from taking this file for cgo.
 */

typedef unsigned long word;

#if defined(__x86_64__)
enum {
  sys_read = 0,
  sys_write = 1,
  sys_rt_sigprocmask = 14,
  sys_setitimer = 38,
  sys_socket = 41,
  sys_connect = 42,
  sys_shutdown = 48,
  sys_wait4 = 61,
  sys_fcntl = 72,
  sys_rt_sigtimedwait = 128,
  sys_exit_group = 231,
  sys_ppoll = 271
};

__asm__(".globl _start\n_start: xor %ebp, %ebp; mov %rsp, %rdi; and $-16, %rsp; call begin");

static word syscall4(word number, word a, word b, word c, word d) {
  word result;
  register word r10 __asm__("r10") = d;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
enum {
  sys_fcntl = 25,
  sys_read = 63,
  sys_write = 64,
  sys_ppoll = 73,
  sys_exit_group = 94,
  sys_setitimer = 103,
  sys_rt_sigprocmask = 135,
  sys_rt_sigtimedwait = 137,
  sys_socket = 198,
  sys_connect = 203,
  sys_shutdown = 210,
  sys_wait4 = 260
};

__asm__(".globl _start\n_start: mov x29, xzr; mov x0, sp; bl begin");

static word syscall4(word number, word a, word b, word c, word d) {
  register word x8 __asm__("x8") = number;
  register word x0 __asm__("x0") = a;
  register word x1 __asm__("x1") = b;
  register word x2 __asm__("x2") = c;
  register word x3 __asm__("x3") = d;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
#else
#error "pause knows x86_64 and aarch64"
#endif

enum { sigint = 2, sigpipe = 13, sigterm = 15, sigchld = 17, sig_block = 0, wnohang = 1 };

#define bit(signal) (1UL << ((signal)-1))

static void __attribute__((noreturn)) leave(long code) {
  for (;;) syscall4(sys_exit_group, (word)code, 0, 0, 0);
}

// check exits with the errno of a failed call.
static void check(long result) {
  if (result < 0)
    leave(-result);
}

// The signals are blocked and waited for: the kernel never discards a blocked signal, not even for PID 1, for which it
// ignores those that have no handler.
static void __attribute__((noreturn)) hold(void) {
  const word set = bit(sigint) | bit(sigterm) | bit(sigchld);
  syscall4(sys_rt_sigprocmask, sig_block, (word)&set, 0, sizeof set);
  for (;;) {
    const word signal = syscall4(sys_rt_sigtimedwait, (word)&set, 0, 0, sizeof set);
    if (signal == sigint || signal == sigterm)
      leave(0);
    // One SIGCHLD may stand for several children.
    while ((long)syscall4(sys_wait4, (word)-1, 0, wnohang, 0) > 0) {
    }
  }
}

enum { einval = 22, eagain = 11, af_inet = 2, af_inet6 = 10, sock_stream = 1, shut_wr = 1, f_setfl = 4, o_nonblock = 04000 };

static void alarm_after(word seconds) {
  const word timer[4] = {0, 0, seconds, 0};
  check((long)syscall4(sys_setitimer, 0, (word)timer, 0, 0));
}

static word number(const char* text, word most) {
  word value = 0;
  if (!*text)
    leave(einval);
  for (; *text; text++) {
    if (*text < '0' || *text > '9' || (value = value * 10 + (word)(*text - '0')) > most)
      leave(einval);
  }
  return value;
}

static int dial(int family, word port) {
  // struct sockaddr_in and sockaddr_in6 as little-endian words: family, port, then 127.0.0.1 or flow and ::1.
  word address[4] = {(word)family | (port >> 8 | (port & 0xff) << 8) << 16, 0, 0, 0};
  if (family == af_inet)
    address[0] |= 0x0100007fUL << 32;
  else
    address[2] = 1UL << 56;
  const long fd = (long)syscall4(sys_socket, (word)family, sock_stream, 0, 0);
  check(fd);
  check((long)syscall4(sys_connect, (word)fd, (word)address, family == af_inet ? 16 : 28, 0));
  check((long)syscall4(sys_fcntl, (word)fd, f_setfl, o_nonblock, 0));
  return (int)fd;
}

enum { pollin = 1, pollout = 4, chunk = 4096 };  // a pipe that polls as writable takes a chunk without blocking

struct pollfd {
  int fd;  // -1: not asked for
  short events, revents;
};

// way is one direction. It reads only when all that it read before is written.
struct way {
  int in, out;
  long from, to;  // what of the buffer is to be written
  int closed;     // nothing more is read
  char buffer[chunk];
};

static void await(struct way* w, struct pollfd* readable, struct pollfd* writable) {
  readable->fd = w->from == w->to && !w->closed ? w->in : -1;
  writable->fd = w->from < w->to ? w->out : -1;
  readable->events = pollin;
  writable->events = pollout;
}

// fill returns what read(2) says; 0 is the end.
static long fill(struct way* w) {
  const long n = (long)syscall4(sys_read, (word)w->in, (word)w->buffer, chunk, 0);
  w->from = 0;
  w->to = n > 0 ? n : 0;
  return n;
}

static long drain(struct way* w) {
  const long n = (long)syscall4(sys_write, (word)w->out, (word)(w->buffer + w->from), (word)(w->to - w->from), 0);
  if (n > 0)
    w->from += n;
  return n;
}

static void __attribute__((noreturn)) relay(int peer) {
  struct way up, down;
  up.in = 0, up.out = peer, down.in = peer, down.out = 1;
  up.from = up.to = up.closed = 0;
  down.from = down.to = down.closed = 0;
  for (;;) {
    struct pollfd fds[4];
    await(&up, &fds[0], &fds[1]);
    await(&down, &fds[2], &fds[3]);
    check((long)syscall4(sys_ppoll, (word)fds, 4, 0, 0));
    if (fds[0].fd >= 0 && fds[0].revents && fill(&up) <= 0) {
      up.closed = 1;
      syscall4(sys_shutdown, (word)peer, shut_wr, 0, 0);
      alarm_after(1);
    }
    if (fds[1].fd >= 0 && fds[1].revents) {
      const long n = drain(&up);
      if (n < 0 && n != -eagain) {  // it takes no more, but may have answered
        up.from = up.to;
        up.closed = 1;
      }
    }
    if (fds[2].fd >= 0 && fds[2].revents) {
      const long n = fill(&down);
      if (n == 0)
        leave(0);
      if (n != -eagain)
        check(n);
    }
    if (fds[3].fd >= 0 && fds[3].revents) {
      const long n = drain(&down);
      if (n != -eagain)
        check(n);
    }
  }
}

static int equal(const char* a, const char* b) {
  for (; *a && *a == *b; a++, b++) {
  }
  return *a == *b;
}

// begin is given the stack as the kernel left it: argc, then argv.
void __attribute__((noreturn, used)) begin(const word* stack) {
  char* const* argv = (char* const*)(stack + 1);
  if (stack[0] < 2)
    hold();
  if (stack[0] != 5 || !equal(argv[1], "connect"))
    leave(einval);
  const int family = equal(argv[2], "4") ? af_inet : equal(argv[2], "6") ? af_inet6 : 0;
  if (!family)
    leave(einval);
  const word port = number(argv[3], 65535);
  const word set = bit(sigpipe);  // a write says it
  syscall4(sys_rt_sigprocmask, sig_block, (word)&set, 0, sizeof set);
  alarm_after(number(argv[4], 1UL << 30));
  const int peer = dial(family, port);
  check((long)syscall4(sys_write, 1, (word) "+", 1, 0));
  relay(peer);
}
