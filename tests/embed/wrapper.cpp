// A C++ program that owns hosts and runs by unique_ptr and steps them itself.
#include <halo.h>

#include <iostream>
#include <memory>
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
using Run = std::unique_ptr<halo_run, ReleaseRun>;

static Run start(const Host &host, const char *code)
{
    halo_run *run = nullptr;
    halo_start_string(host.get(), "embedded", code, nullptr, &run);
    return Run(run);
}

static std::string result(const Run &run)
{
    const char *json = nullptr;
    size_t len = 0;
    if (!run || halo_result(run.get(), &json, &len) != HALO_OK)
        return run ? halo_message(run.get()) : "not started";
    return std::string(json, len);
}

int main()
{
    std::string said;
    halo_config cfg = HALO_CONFIG_INIT;
    cfg.ud = &said;
    cfg.log = [](void *ud, int level, const char *text, size_t len) {
        if (level == HALO_LOG_PRINT)
            static_cast<std::string *>(ud)->append(text, len);
    };
    halo_host *opened = nullptr;
    if (int err = halo_open(&opened, &cfg); err != HALO_OK) {
        std::cerr << "halo_open: " << halo_strerror(err) << "\n";
        return 1;
    }
    Host host(opened);
    Run slow = start(host, "require('task').sleep(0.02) print('slow') return 'slow'");
    Run fast = start(host, "print('fast ') return 'fast'");
    int alive;
    while ((alive = halo_step(host.get(), -1)) > 0) {
    }
    std::string got = result(slow) + " " + result(fast) + " " + said;
    if (alive < 0 || got != "\"slow\" \"fast\" fast slow") {
        std::cerr << "got: " << got << "\n";
        return 1;
    }
    return 0;
}
