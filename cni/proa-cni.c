/* proa-cni: takes what a container runtime asks of a CNI plugin to Proa's node agent, and the agent's answer back.
 *
 * It decides one thing: while no agent answers, no pod is attached and none is said to be well. Detaching needs nobody,
 * nor do pods of excluded namespaces; a node is not unfit because its agent is started anew (docs/decisions/0040).
 * https://www.cni.dev/docs/spec/ has the protocol, node/wire.py the agent's end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { LONGEST = 1 << 20, SECONDS = 30 };
enum { UNDECODABLE = 6, MISCONFIGURED = 7, TRY_LATER = 11, UNAVAILABLE = 50 }; /* of the protocol's errors */

extern char **environ;
struct text { const char *at, *end; };

static char configuration[LONGEST + 1], request[LONGEST + LONGEST], answer[LONGEST + LONGEST];

static const char *past_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

static const char *past_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at < end ? at + 1 : end;
}

/* The end of the JSON value at AT. Who wrote it is the runtime; whether it is well formed is the agent's to say. */
static const char *past_value(const char *at, const char *end)
{
    int depth = 0;

    while (at < end && (depth || !strchr(",}] \t\r\n", *at)))
        if (*at == '"') {
            at = past_string(at, end);
        } else {
            depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
            at++;
        }
    return at;
}

static int is_string(struct text value, const char *text, size_t length)
{
    return (size_t)(value.end - value.at) == length + 2 && *value.at == '"' && !memcmp(value.at + 1, text, length);
}

/* The value of the last member NAME of OBJECT, as JSON; empty where there is none. */
static struct text member(struct text object, const char *name)
{
    struct text key, value, found = {object.end, object.end};
    const char *at = past_blanks(object.at, object.end), *end = object.end;

    for (int first = 1; at < end && *at == (first ? '{' : ','); first = 0) {
        key.at = past_blanks(at + 1, end);
        if (key.at == end || *key.at != '"')
            break;
        key.end = past_string(key.at, end);
        at = past_blanks(key.end, end);
        if (at == end || *at != ':')
            break;
        value.at = past_blanks(at + 1, end);
        value.end = past_value(value.at, end);
        if (is_string(key, name, strlen(name)))
            found = value;
        at = past_blanks(value.end, end);
    }
    return found;
}

/* Whether the pod that CNI_ARGS names is of a namespace that the configuration excludes. */
static int is_excluded(struct text conf)
{
    static const char key[] = "K8S_POD_NAMESPACE=";
    const char *args = getenv("CNI_ARGS");
    struct text names = member(conf, "excludedNamespaces"), each;

    while (args && strncmp(args, key, strlen(key)))
        args = (args = strchr(args, ';')) ? args + 1 : NULL;
    if (!args || names.at == names.end || *names.at != '[')
        return 0;
    args += strlen(key);
    for (const char *at = names.at; at < names.end && *at != ']'; at = past_blanks(each.end, names.end)) {
        each.at = past_blanks(at + 1, names.end);
        each.end = past_value(each.at, names.end);
        if (each.at < each.end && is_string(each, args, strcspn(args, ";")))
            return 1;
    }
    return 0;
}

static int written(const char *at, const char *end)
{
    return fwrite(at, 1, (size_t)(end - at), stdout) == (size_t)(end - at) && !fflush(stdout);
}

static int refused(struct text conf, int code, const char *words, const char *details)
{
    struct text version = member(conf, "cniVersion");
    int size = (int)(version.end - version.at), known = size > 2 && *version.at == '"' && version.end[-1] == '"';

    printf("{\"cniVersion\":%.*s,\"code\":%d,\"msg\":\"%s\",\"details\":\"%s\"}\n", known ? size : 7,
           known ? version.at : "\"1.1.0\"", code, words, details);
    return 1;
}

/* Into `request`: the CNI variables, each ended by a NUL; one NUL more; the configuration. 0 if it is too long. */
static size_t written_request(struct text conf)
{
    size_t length = 0, size = (size_t)(conf.end - conf.at);

    for (char **each = environ; *each; each++) {
        size_t more = strlen(*each) + 1;
        if (strncmp(*each, "CNI_", 4))
            continue;
        if (length + more >= LONGEST)
            return 0;
        memcpy(request + length, *each, more);
        length += more;
    }
    request[length++] = '\0';
    memcpy(request + length, conf.at, size);
    return length + size;
}

/* Sends SIZE bytes, and beside the first of them the network namespace: the agent may not see its path. */
static int sent(int agent, size_t size)
{
    int place = getenv("CNI_NETNS") ? open(getenv("CNI_NETNS"), O_RDONLY | O_CLOEXEC) : -1;
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof place)] = {0};
    struct iovec bytes = {request, size};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);

    *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof place), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(head), &place, sizeof place);
    if (place < 0)
        message.msg_controllen = 0;
    return sendmsg(agent, &message, MSG_NOSIGNAL) == (ssize_t)size && !shutdown(agent, SHUT_WR);
}

/* The length of the agent's `answer`: the exit status, what to print, a NUL. 0 if there is none, or not all of it. */
static size_t answered(struct text conf)
{
    struct timeval limit = {.tv_sec = SECONDS};
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    struct text path = member(conf, "socket");
    size_t size = written_request(conf), length = (size_t)(path.end - path.at), got = 0;
    int agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (agent < 0 || !size || length < 3 || length - 2 >= sizeof place.sun_path || *path.at != '"')
        return 0;
    memcpy(place.sun_path, path.at + 1, length - 2);
    setsockopt(agent, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(agent, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(agent, (struct sockaddr *)&place, sizeof place) || !sent(agent, size))
        return 0;
    for (ssize_t more; (more = recv(agent, answer + got, sizeof answer - got, 0)) != 0; got += (size_t)more)
        if (more < 0)
            return 0;
    return got > 1 && !answer[got - 1] ? got : 0;
}

int main(void)
{
    const char *command = getenv("CNI_COMMAND") ? getenv("CNI_COMMAND") : "";
    size_t size = fread(configuration, 1, sizeof configuration, stdin);
    struct text conf = {configuration, configuration + size}, former = member(conf, "prevResult");

    if (!strcmp(command, "VERSION"))
        return puts("{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}") < 0;
    if (size > LONGEST)
        return refused((struct text){0}, UNDECODABLE, "the configuration is longer than a megabyte", "");
    if (is_excluded(conf) && strcmp(command, "ADD"))
        return 0;
    if (is_excluded(conf) && former.at == former.end)
        return refused(conf, MISCONFIGURED, "there is no prevResult", "chain proa-cni after the plugin of the network");
    if (is_excluded(conf))
        return !written(former.at, former.end);
    if ((size = answered(conf)))
        return written(answer + 1, answer + size - 1) ? answer[0] : 1;
    if (!strcmp(command, "DEL") || !strcmp(command, "GC") || (!strcmp(command, "STATUS") && errno == ECONNREFUSED))
        return 0;
    return refused(conf, strcmp(command, "STATUS") ? TRY_LATER : UNAVAILABLE, "the node agent of Proa does not answer",
                   "see the DaemonSet proa-node; if Proa is gone, take proa-cni out of the node's CNI configuration");
}
