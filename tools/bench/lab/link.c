/* A bad cable between two network interfaces: what comes in at one goes out at the other, late, or not at all.
 *
 *   link [seed=N] [delay=MS] [jitter=MS] [rate=MBIT] [queue=KB] [loss=PERCENT] [mtu=BYTES] IF1 IF2
 *   link offload IF...       switches checksum and segmentation offload off, so that frames on the wire are real ones
 *
 * Both directions have the same properties and their own random numbers: the same seed and the same frames meet the same fate.
 * Larger IP packets than `mtu` vanish. Jitter is drawn for each frame and keeps their order. ARP and IPv6 neighbour discovery are delayed but never lost.
 * Needs CAP_NET_RAW. Runs until SIGTERM, then prints what it did as one JSON line. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

enum { BATCH = 64, FRAME_BYTES = 65600, WIRE_OVERHEAD = 24 /* preamble, checksum and gap of Ethernet */ };

static struct { double seed, delay, jitter, rate, queue, loss, mtu; } config = {.seed = 1, .queue = 256};

struct frame { struct frame *next; double due; int length; uint8_t bytes[]; };
struct port {
    int fd;
    uint64_t random;
    double busy_until, last_due;
    struct frame *first, *last;
    unsigned long frames, lost, overflowed;
};
static struct port ports[2];
static volatile sig_atomic_t done;

static void stop(int number) { (void)number; done = 1; }

static void fail(const char *what) { perror(what); exit(1); }

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

/* splitmix64 */
static double draw(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return ((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static void offload_off(const char *name) {
    static const uint32_t commands[] = {ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO, ETHTOOL_STXCSUM};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0) fail("socket");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct ethtool_value value = {.cmd = commands[i], .data = 0};
        struct ifreq request = {.ifr_data = (void *)&value};
        snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
        if (ioctl(fd, SIOCETHTOOL, &request) && errno != EOPNOTSUPP) fail(name);
    }
    close(fd);
}

static int open_port(const char *name) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0), on = 1, size = 16 << 20;
    if (fd < 0) fail("socket");
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name)};
    struct packet_mreq promiscuous = {.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size)) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size)) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (bind(fd, (struct sockaddr *)&address, sizeof address)) fail(name);
    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous);
    return fd;
}

static int is_ip(const uint8_t *bytes, int length) {
    int type = bytes[12] << 8 | bytes[13];
    if (type == ETH_P_IP) return 1;
    return type == ETH_P_IPV6 && !(length > 54 && bytes[20] == 58);
}

static void enqueue(struct port *out, const uint8_t *bytes, int length, double now) {
    double fate = draw(&out->random), late = draw(&out->random), rate = config.rate * 1e6 / 8;
    out->frames++;
    if (config.mtu > 0 && length - ETH_HLEN > config.mtu) { out->lost++; return; }
    if (is_ip(bytes, length) && fate * 100 < config.loss) { out->lost++; return; }
    if (out->busy_until < now) out->busy_until = now;
    if (rate > 0) {
        if ((out->busy_until - now) * rate + length > config.queue * 1000) { out->overflowed++; return; }
        out->busy_until += (length + WIRE_OVERHEAD) / rate;
    }
    double due = out->busy_until + (config.delay + config.jitter * late) / 1000;
    if (due < out->last_due) due = out->last_due;
    out->last_due = due;
    struct frame *frame = malloc(sizeof *frame + length);
    if (!frame) fail("malloc");
    frame->next = NULL;
    frame->due = due;
    frame->length = length;
    memcpy(frame->bytes, bytes, length);
    if (out->first) out->last->next = frame;
    else out->first = frame;
    out->last = frame;
}

static void receive(int from, double now) {
    static uint8_t buffers[BATCH][FRAME_BYTES];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){buffers[i], FRAME_BYTES};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int count = recvmmsg(ports[from].fd, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++)
        if (messages[i].msg_len > 14) enqueue(&ports[1 - from], buffers[i], (int)messages[i].msg_len, now);
}

static void deliver(struct port *port, double now) {
    while (port->first && port->first->due <= now) {
        struct iovec parts[BATCH];
        struct mmsghdr messages[BATCH];
        struct frame *batch[BATCH];
        int count = 0;
        memset(messages, 0, sizeof messages);
        for (; count < BATCH && port->first && port->first->due <= now; count++) {
            struct frame *frame = batch[count] = port->first;
            port->first = frame->next;
            parts[count] = (struct iovec){frame->bytes, (size_t)frame->length};
            messages[count].msg_hdr.msg_iov = &parts[count];
            messages[count].msg_hdr.msg_iovlen = 1;
        }
        for (int sent = 0; sent < count;) {
            int some = sendmmsg(port->fd, messages + sent, (unsigned)(count - sent), 0);
            sent += some > 0 ? some : 1; /* what the interface refuses is lost */
        }
        for (int i = 0; i < count; i++) free(batch[i]);
    }
}

static int set(const char *text) {
    const char *value = strchr(text, '=');
    if (!value) return 0;
    struct { const char *name; double *at; } keys[] = {{"seed", &config.seed}, {"delay", &config.delay},
        {"jitter", &config.jitter}, {"rate", &config.rate}, {"queue", &config.queue}, {"loss", &config.loss},
        {"mtu", &config.mtu}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strncmp(text, keys[i].name, (size_t)(value - text)) && !keys[i].name[value - text]) {
            *keys[i].at = atof(value + 1);
            return 1;
        }
    fprintf(stderr, "link: unknown setting %s\n", text);
    exit(2);
}

int main(int count, char **words) {
    int found = 0;
    if (count > 1 && !strcmp(words[1], "offload")) {
        for (int i = 2; i < count; i++) offload_off(words[i]);
        return 0;
    }
    for (int i = 1; i < count; i++)
        if (!set(words[i]) && found < 2) ports[found++].fd = open_port(words[i]);
    if (found != 2) return fprintf(stderr, "usage: link [key=value...] IF1 IF2\n"), 2;
    for (int i = 0; i < 2; i++) ports[i].random = (uint64_t)config.seed * 1000003u + (uint64_t)i;
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);
    struct pollfd waits[2] = {{ports[0].fd, POLLIN, 0}, {ports[1].fd, POLLIN, 0}};
    while (!done) {
        double now = seconds(), wait = 1;
        for (int i = 0; i < 2; i++)
            if (ports[i].first && ports[i].first->due - now < wait) wait = ports[i].first->due - now;
        if (wait < 0) wait = 0;
        struct timespec timeout = {(time_t)wait, (long)((wait - (double)(time_t)wait) * 1e9)};
        if (ppoll(waits, 2, &timeout, NULL) < 0 && errno != EINTR) fail("poll");
        now = seconds();
        for (int i = 0; i < 2; i++)
            if (waits[i].revents & POLLIN) receive(i, now);
        now = seconds();
        for (int i = 0; i < 2; i++) deliver(&ports[i], now);
    }
    printf("{\"frames\":[%lu,%lu],\"lost\":[%lu,%lu],\"overflowed\":[%lu,%lu]}\n", ports[0].frames, ports[1].frames,
           ports[0].lost, ports[1].lost, ports[0].overflowed, ports[1].overflowed);
    return 0;
}
