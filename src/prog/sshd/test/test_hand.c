/* SPDX-License-Identifier: ISC */
/* The hand: forwards with the user's rights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/sshd.h"
#include "place.h"

/* ---- the hand ---- */

static struct hand_news next_news(struct hand *h)
{
    struct hand_news n = {.what = HAND_NOTHING, .fd = -1};
    const struct account bob = find(BOB);
    struct pollfd p = {h->fd, POLLIN, 0};
    assert_int_equal(poll(&p, 1, 20000), 1);
    assert_int_equal(hand_receive(h, &bob, &n), ERR_NONE);
    return n;
}

static int listen_here(uint16_t *port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
    *port = ntohs(sa.sin_port);
    return fd;
}

/* Every process of the hand is the user's. The socket's owner says who connected. */
static void the_hand_connects_as_the_user(void **state)
{
    (void)state;
    struct account bob = find(BOB);
    const struct sshd_conf conf = {0};
    struct hand h;
    uint16_t port;
    int server = listen_here(&port);
    hand_init(&h);
    assert_int_equal(hand_connect(&h, &bob, &conf, 71, "127.0.0.1", port), ERR_NONE);
    struct hand_news n = next_news(&h);
    assert_int_equal(n.what, HAND_CONNECTED);
    assert_int_equal(n.tag, 71);
    struct stat st;
    assert_int_equal(fstat(n.fd, &st), 0);
    assert_int_equal(st.st_uid, bob.uid);
    int peer = accept(server, NULL, NULL);
    char text[8] = "";
    assert_true(write(n.fd, "hello", 5) == 5 && read(peer, text, 5) == 5);
    assert_string_equal(text, "hello");
    close(n.fd), close(peer), close(server);
    assert_int_equal(hand_connect(&h, &bob, &conf, 72, "127.0.0.1", port), ERR_NONE);
    n = next_news(&h);
    assert_int_equal(n.what, HAND_REFUSED);
    assert_string_equal(n.text, "Connection refused");
    assert_int_equal(hand_connect(&h, &bob, &conf, 73, "no-such-name.invalid", 80), ERR_NONE);
    n = next_news(&h);
    assert_int_equal(n.what, HAND_REFUSED);
    assert_int_equal(n.tag, 73);
    assert_true(n.text[0] != 0);
    assert_int_equal(h.sent, 0);
    hand_close(&h, &bob);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0) return fd;
    close(fd);
    return -1;
}

static void the_hand_listens_and_stops(void **state)
{
    (void)state;
    struct account bob = find(BOB);
    const struct sshd_conf conf = {.address_family = CONF_AF_INET};
    struct hand h;
    hand_init(&h);
    assert_int_equal(hand_listen(&h, &bob, &conf, 1, "localhost", 0), ERR_NONE);
    struct hand_news n = next_news(&h);
    assert_int_equal(n.what, HAND_LISTENING);
    assert_true(n.port != 0);
    uint16_t port = n.port;
    int client = connect_to(port);
    assert_true(client >= 0);
    n = next_news(&h);
    assert_int_equal(n.what, HAND_ACCEPTED);
    assert_string_equal(n.host, "localhost");
    assert_int_equal(n.port, port);
    assert_string_equal(n.origin_host, "127.0.0.1");
    assert_true(n.origin_port != 0 && n.fd >= 0);
    close(n.fd), close(client);
    assert_int_equal(hand_listen(&h, &bob, &conf, 2, "localhost", port), ERR_NONE);        /* taken */
    n = next_news(&h);
    assert_int_equal(n.what, HAND_REFUSED);
    assert_int_equal(hand_cancel(&h, 3, "localhost", (uint16_t)(port ^ 1)), ERR_NONE);
    assert_int_equal(next_news(&h).what, HAND_REFUSED);
    assert_int_equal(hand_cancel(&h, 4, "localhost", port), ERR_NONE);
    assert_int_equal(next_news(&h).what, HAND_CLOSED);
    assert_int_equal(connect_to(port), -1);
    assert_int_equal(h.listeners, 0);
    assert_int_equal(hand_listen(&h, &bob, &conf, 5, "", 79), ERR_NONE);     /* below 1024: the user has no right to it */
    n = next_news(&h);
    assert_true(n.what == HAND_REFUSED || n.what == HAND_LISTENING);         /* some kernels give low ports to all */
    hand_close(&h, &bob);
}

/* A forwarded agent: a socket that only the user can reach, and that goes with the hand. */
static void the_agents_socket_is_the_users_alone(void **state)
{
    (void)state;
    struct account bob = find(BOB);
    struct hand h;
    struct stat st;
    char folder[sizeof h.agent], path[sizeof h.agent];
    hand_init(&h);
    assert_int_equal(hand_agent(&h, &bob, 7), ERR_NONE);
    struct hand_news n = next_news(&h);
    assert_int_equal(n.what, HAND_AGENT_STANDS);
    assert_int_equal(n.tag, 7);
    memcpy(path, h.agent, sizeof path), memcpy(folder, h.agent, sizeof folder);
    *strrchr(folder, '/') = 0;
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode) && st.st_uid == bob.uid && (st.st_mode & 077) == 0);
    assert_int_equal(stat(folder, &st), 0);
    assert_true(S_ISDIR(st.st_mode) && st.st_uid == bob.uid && (st.st_mode & 077) == 0);
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&sa, sizeof sa), 0);
    n = next_news(&h);
    assert_int_equal(n.what, HAND_AGENT_ACCEPTED);
    assert_true(n.fd >= 0);
    close(n.fd), close(client);
    assert_int_equal(hand_agent(&h, &bob, 8), ERR_NONE);       /* one is enough */
    assert_int_equal(next_news(&h).what, HAND_REFUSED);
    assert_string_equal(h.agent, path);
    hand_close(&h, &bob);
    assert_int_equal(stat(path, &st), -1);
}

static void an_agents_folder_that_is_a_link_is_not_taken(void **state)
{
    (void)state;
    struct account bob = find(BOB);
    struct hand h;
    hand_init(&h);
    sh("rm -rf %s/.ssh/agent; mkdir -p %s/elsewhere; chown %u %s/elsewhere; ln -s ../elsewhere %s/.ssh/agent", bob.home, bob.home, bob.uid, bob.home,
       bob.home);
    assert_int_equal(hand_agent(&h, &bob, 1), ERR_NONE);
    assert_int_equal(next_news(&h).what, HAND_REFUSED);
    assert_string_equal(h.agent, "");
    hand_close(&h, &bob);
    sh("rm %s/.ssh/agent", bob.home);
}

static void a_killed_hand_is_news(void **state)
{
    (void)state;
    struct account bob = find(BOB);
    const struct sshd_conf conf = {0};
    struct hand h;
    hand_init(&h);
    assert_int_equal(hand_cancel(&h, 1, "x", 1), ERR_NOT_FOUND);
    assert_int_equal(hand_listen(&h, &bob, &conf, 1, "localhost", 0), ERR_NONE);
    assert_int_equal(next_news(&h).what, HAND_LISTENING);
    assert_int_equal(kill(h.pid, SIGKILL), 0);
    assert_int_equal(next_news(&h).what, HAND_GONE);
    assert_int_equal(h.fd, -1);
    struct hand_news n;
    assert_int_equal(hand_receive(&h, &bob, &n), ERR_AGAIN);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hand_connects_as_the_user),
        cmocka_unit_test(the_hand_listens_and_stops),
        cmocka_unit_test(the_agents_socket_is_the_users_alone),
        cmocka_unit_test(an_agents_folder_that_is_a_link_is_not_taken),
        cmocka_unit_test(a_killed_hand_is_news),
    };
    if (!place_make()) return 0;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, place_end);
}
