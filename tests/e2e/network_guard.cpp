// Stands before the C library's ways into the network (LD_PRELOAD) in a process and all that it starts: what would leave
// this machine is written to the file NETWORK_GUARD_LOG, a line each, and refused. Python's sockets and those of compiled
// libraries come through here alike.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

namespace {

template <typename Function>
Function* next(Function* /*ours*/, const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

void record(const char* call, const std::string& target) {
    const char* log = std::getenv("NETWORK_GUARD_LOG");
    const int file = log == nullptr ? -1 : open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    const std::string line = std::string(call) + " " + target + "\n";
    if (file < 0 || write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
        std::abort();  // a guard that cannot report must not let anything pass
    }
    close(file);
}

// Whether an address leads out of this machine. 0.0.0.0 and :: are this machine when they are called.
bool is_remote(const sockaddr* address) {
    if (address->sa_family == AF_INET) {
        const in_addr_t host = ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr);
        return host != INADDR_ANY && host >> 24 != IN_LOOPBACKNET;
    }
    if (address->sa_family == AF_INET6) {
        const in6_addr& host = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
        const bool local_mapped = IN6_IS_ADDR_V4MAPPED(&host) && host.s6_addr[12] == IN_LOOPBACKNET;
        return !IN6_IS_ADDR_LOOPBACK(&host) && !IN6_IS_ADDR_UNSPECIFIED(&host) && !local_mapped;
    }
    return false;
}

bool is_refused(const char* call, const sockaddr* address) {
    if (address == nullptr || !is_remote(address)) {
        return false;
    }
    char text[INET6_ADDRSTRLEN] = "";
    const bool four = address->sa_family == AF_INET;
    const void* host = four ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(address)->sin_addr)
                            : static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
    inet_ntop(address->sa_family, host, text, sizeof text);
    record(call, text);
    errno = ENETUNREACH;
    return true;
}

// A name that only a server elsewhere could know.
bool is_refused(const char* call, const char* name) {
    unsigned char ignored[sizeof(in6_addr)];
    if (name == nullptr || std::string(name) == "localhost" || inet_pton(AF_INET, name, ignored) == 1 ||
        inet_pton(AF_INET6, name, ignored) == 1) {
        return false;
    }
    record(call, name);
    return true;
}

}  // namespace

extern "C" {

int connect(int socket, const sockaddr* address, socklen_t length) {
    return is_refused("connect", address) ? -1 : next(connect, "connect")(socket, address, length);
}

ssize_t sendto(int socket, const void* data, size_t size, int flags, const sockaddr* address, socklen_t length) {
    return is_refused("sendto", address) ? -1 : next(sendto, "sendto")(socket, data, size, flags, address, length);
}

ssize_t sendmsg(int socket, const msghdr* message, int flags) {
    const bool refused = is_refused("sendmsg", static_cast<const sockaddr*>(message->msg_name));
    return refused ? -1 : next(sendmsg, "sendmsg")(socket, message, flags);
}

int getaddrinfo(const char* name, const char* service, const addrinfo* hints, addrinfo** answer) {
    return is_refused("getaddrinfo", name) ? EAI_NONAME : next(getaddrinfo, "getaddrinfo")(name, service, hints, answer);
}

hostent* gethostbyname(const char* name) {
    return is_refused("gethostbyname", name) ? nullptr : next(gethostbyname, "gethostbyname")(name);
}

int gethostbyname_r(const char* name, hostent* entry, char* buffer, size_t size, hostent** answer, int* error) {
    if (is_refused("gethostbyname_r", name)) {
        *answer = nullptr;
        *error = HOST_NOT_FOUND;
        return 0;
    }
    return next(gethostbyname_r, "gethostbyname_r")(name, entry, buffer, size, answer, error);
}

}  // extern "C"
