/* SPDX-License-Identifier: ISC */
/* Names to addresses. getaddrinfo() may take many seconds for one name, so a name that is no address goes to one of a few threads. */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "keyscan.h"

#define THREADS_MAX 48

static struct queue {
    struct host *first, **end;
} waiting = {.end = &waiting.first}, done = {.end = &done.first};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static int event = -1;
static size_t threads, idle, pending;

static void put(struct queue *q, struct host *h)
{
    h->next = NULL;
    *q->end = h;
    q->end = &h->next;
}

static struct host *get(struct queue *q)
{
    struct host *h = q->first;
    if (!h) return NULL;
    q->first = h->next;
    if (!q->first) q->end = &q->first;
    return h;
}

static int look_up(struct host *h, int flags)
{
    char port[8];
    struct addrinfo hints = {.ai_family = settings.family, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV}, *list = NULL;
    snprintf(port, sizeof port, "%u", settings.port);
    int code = getaddrinfo(h->name, port, &hints, &list);
    h->system_error = errno;
    h->addresses = 0;
    for (struct addrinfo *a = code == 0 ? list : NULL; a && h->addresses < ADDRESSES_MAX; a = a->ai_next) {
        if (a->ai_addrlen > sizeof h->address[0]) continue;
        memcpy(&h->address[h->addresses], a->ai_addr, a->ai_addrlen);
        h->address_n[h->addresses++] = a->ai_addrlen;
    }
    if (code == 0) freeaddrinfo(list);
    return code;
}

static void *work(void *unused)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        struct host *h;
        idle++;
        while (!(h = get(&waiting))) pthread_cond_wait(&more, &lock);
        idle--;
        pthread_mutex_unlock(&lock);
        h->error = look_up(h, 0);
        pthread_mutex_lock(&lock);
        put(&done, h);
        (void)!write(event, &(uint64_t){1}, sizeof(uint64_t));
    }
    return unused;
}

static void thread_start(void)
{
    pthread_t t;
    if (threads == THREADS_MAX || pthread_create(&t, NULL, work, NULL) != 0) return;
    pthread_detach(t);
    threads++;
}

bool resolve(struct host *h)
{
    h->error = look_up(h, AI_NUMERICHOST);
    if (h->error != EAI_NONAME) return true;
    pthread_mutex_lock(&lock);
    if (event < 0) event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    put(&waiting, h);
    bool wanted = idle == 0;
    pthread_cond_signal(&more);
    pthread_mutex_unlock(&lock);
    if (wanted) thread_start();
    if (event < 0 || threads == 0) fatal("cannot look up names: %s", strerror(errno));
    pending++;
    return false;
}

int resolve_fd(void)
{
    return event;
}

size_t resolve_pending(void)
{
    return pending;
}

struct host *resolve_done(void)
{
    uint64_t n;
    pthread_mutex_lock(&lock);
    if (event >= 0) (void)!read(event, &n, sizeof n);
    struct host *h = get(&done);
    if (done.first) (void)!write(event, &(uint64_t){1}, sizeof(uint64_t));
    pthread_mutex_unlock(&lock);
    pending -= h != NULL;
    return h;
}
