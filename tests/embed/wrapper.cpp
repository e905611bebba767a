// Example: a C++17 program that owns hosts and runs by unique_ptr, turns errors into
// exceptions and keeps two scripts going at once.
#include <halo.h>

#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

struct CloseHost {
    void operator()(halo_host *h) const
    {
        halo_close(h);
    }
};
struct ReleaseRun {
    void operator()(halo_run *r) const
    {
        halo_release(r);
    }
};
using Host = std::unique_ptr<halo_host, CloseHost>;
using Run = std::unique_ptr<halo_run, ReleaseRun>; // to be released before its host

static void check(int err)
{
    if (err < 0)
        throw std::runtime_error(halo_strerror(err));
}

static Host open(const halo_config &cfg)
{
    halo_host *host = nullptr;
    check(halo_open(&host, &cfg));
    return Host(host);
}

static Run start(const Host &host, const char *code)
{
    halo_run *run = nullptr;
    check(halo_start_string(host.get(), "embedded", code, nullptr, &run));
    return Run(run);
}

static std::string result(const Run &run)
{
    const char *json = nullptr;
    std::size_t len = 0;
    if (halo_result(run.get(), &json, &len) != HALO_OK)
        throw std::runtime_error(halo_message(run.get()));
    return std::string(json, len);
}

int main()
try {
    std::string said;
    halo_config cfg = HALO_CONFIG_INIT;
    cfg.ud = &said;
    cfg.log = [](void *ud, int level, const char *text, std::size_t len) {
        if (level == HALO_LOG_PRINT) // must not throw: C and Lua are in between
            static_cast<std::string *>(ud)->append(text, len).append("\n");
    };
    Host host = open(cfg);
    Run pause = start(host, "return require('aura').pause('3fa29c1e').status");
    Run count = start(host, "print('counting') return #require('aura').list()");
    int alive;
    while ((alive = halo_step(host.get(), -1)) > 0) {
    }
    check(alive);
    std::cout << said << result(pause) << " " << result(count) << "\n";
    return 0;
} catch (const std::exception &e) {
    std::cerr << e.what() << "\n";
    return 1;
}
