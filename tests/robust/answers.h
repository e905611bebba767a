/* A stand-in for the API in a child process: fixed answers over loopback. */
#ifndef ANSWERS_H
#define ANSWERS_H

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWERS_CLIENTS = 256, ANSWERS_REQUEST = 8192 };

#define INSTANCE(id, status)                                                       \
    "{\"data\":{\"id\":\"" id "\",\"name\":\"one\",\"status\":\"" status "\","     \
    "\"tenant_id\":\"t1\",\"cloud_provider\":\"gcp\",\"region\":\"europe-west1\"," \
    "\"type\":\"enterprise-db\",\"memory\":\"8GB\",\"tags\":[],\"graph_nodes\":12}}"

/* The first whose beginning fits the head of the request answers it. Status 0: none ever
 * comes. */
static const struct {
    const char *request;
    int status;
    const char *body;
} ANSWERS[] = {
    { "POST /oauth/token ", 200,
      "{\"access_token\":\"a-token-long-enough-to-be-moved\",\"expires_in\":3600,"
      "\"token_type\":\"bearer\"}" },
    { "GET /v1/instances/hang ", 0, "" },
    { "GET /v1/instances/paused01 ", 200, INSTANCE("paused01", "paused") },
    { "GET /v1/instances/pausing1 ", 200, INSTANCE("pausing1", "pausing") },
    { "POST /v1/instances/3fa29c1e/pause ", 202, INSTANCE("3fa29c1e", "pausing") },
    { "GET /v1/instances/3fa29c1e ", 200, INSTANCE("3fa29c1e", "running") },
    { "GET /v1/instances ", 200,
      "{\"data\":[{\"id\":\"3fa29c1e\",\"name\":\"one\"},{\"id\":\"7c41d09b\"}]}" },
    { "POST /v1/instances ", 202,
      "{\"data\":{\"id\":\"9a1ff06e\",\"name\":\"new\",\"username\":\"neo4j\","
      "\"password\":\"never-shown\",\"connection_url\":\"neo4j+s://9a1ff06e\"}}" },
    { "", 404,
      "{\"errors\":[{\"message\":\"DB not found: 00000000\",\"reason\":\"db-not-found\","
      "\"field\":\"id\"}]}" },
};

struct answers_client {
    size_t len;
    char text[ANSWERS_REQUEST];
};

/* Answers every whole request in the buffer. False when the client is to be dropped. */
static bool answers_serve(int fd, struct answers_client *c)
{
    for (char *end; (end = strstr(c->text, "\r\n\r\n")) != NULL;) {
        const char *field = strstr(c->text, "\r\nContent-Length: ");
        size_t size = (size_t)(end + 4 - c->text), i = 0;
        if (field && field < end)
            size += strtoul(field + 18, NULL, 10);
        if (size > c->len)
            return size < sizeof c->text;
        while (strncmp(c->text, ANSWERS[i].request, strlen(ANSWERS[i].request)) != 0)
            i++;
        char answer[1024];
        int n = snprintf(answer, sizeof answer,
                         "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n"
                         "X-Request-Id: r-1\r\nContent-Length: %zu\r\n\r\n%s",
                         ANSWERS[i].status, strlen(ANSWERS[i].body), ANSWERS[i].body);
        if (ANSWERS[i].status && send(fd, answer, (size_t)n, MSG_NOSIGNAL) != n)
            return false;
        memmove(c->text, c->text + size, c->len - size + 1);
        c->len -= size;
    }
    return c->len + 1 < sizeof c->text;
}

static void answers_run(int listener)
{
    static struct answers_client clients[ANSWERS_CLIENTS];
    struct pollfd fds[ANSWERS_CLIENTS] = { { .fd = listener, .events = POLLIN } };
    nfds_t count = 1;
    while (poll(fds, count, -1) > 0) {
        for (nfds_t i = count - 1; i > 0; i--) {
            struct answers_client *c = &clients[i];
            if (!fds[i].revents)
                continue;
            ssize_t n = read(fds[i].fd, c->text + c->len, sizeof c->text - 1 - c->len);
            c->len += n > 0 ? (size_t)n : 0;
            c->text[c->len] = '\0';
            if (n > 0 && answers_serve(fds[i].fd, c))
                continue;
            close(fds[i].fd);
            fds[i] = fds[--count]; /* the last takes its place */
            clients[i] = clients[count];
        }
        int fd = fds[0].revents && count < ANSWERS_CLIENTS
                     ? accept4(fds[0].fd, NULL, NULL, SOCK_CLOEXEC)
                     : -1;
        if (fd >= 0) {
            clients[count].len = 0;
            fds[count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
        }
    }
}

/* Starts it and makes it what AURA_BASE_URL names. It ends with this process. */
static void answers_start(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    char url[64];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, size) != 0 ||
        listen(listener, 128) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &size) != 0) {
        perror("answers");
        exit(1);
    }
    pid_t parent = getpid();
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            answers_run(listener);
        _exit(0);
    }
    close(listener);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(at.sin_port));
    setenv("AURA_BASE_URL", url, 1);
    setenv("AURA_CLIENT_ID", "id", 1);
    setenv("AURA_CLIENT_SECRET", "secret", 1);
    setenv("AURA_RATE", "0", 1);
}

#endif
