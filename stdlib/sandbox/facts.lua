---What the emulator takes for true about Aura: types, statuses, durations, regions, sizes.
---All of it is meant to be edited; the other files hold behaviour and no such numbers.
local M = {}

local function phase(status, seconds, per_gb)
    return { status = status, seconds = seconds, per_gb = per_gb }
end

-- How an operation runs: the statuses it may start from, the statuses it passes through, where it
-- ends. `seconds` are those of the real service, before --speed; `per_gb` adds for each GB of memory.
M.transitions = {
    create    = { to = "running", phases = { phase("creating", 200, 2) } },
    clone     = { to = "running", phases = { phase("creating", 180, 2), phase("loading", 60, 4) } },
    rename    = { from = { "running", "paused" } },
    update    = { from = { "running" }, to = "running", phases = { phase("updating", 120, 2) } },
    pause     = { from = { "running" }, to = "paused", phases = { phase("pausing", 60, 4) } },
    resume    = { from = { "paused" }, to = "running", phases = { phase("resuming", 90, 4) } },
    overwrite = { from = { "running" }, to = "running",
                  phases = { phase("overwriting", 120, 4), phase("loading", 60, 2) } },
    restore   = { from = { "running" }, to = "running", phases = { phase("restoring", 120, 4) } },
    upgrade   = { from = { "running" }, to = "running", phases = { phase("updating", 240) } },
    snapshot  = { from = { "running" } },
    delete    = { from = { "running", "paused", "suspended", "loading failed" }, to = "deleted",
                  phases = { phase("destroying", 75) } },
}

-- Snapshots and keys have their own, shorter lives. Seconds before --speed, as above.
M.snapshot_pending = { seconds = 10 }
M.snapshot_progress = { seconds = 40, per_gb = 1 }
M.key_pending = { seconds = 30 }

-- Statuses in which an operation is under way, whoever started it.
M.busy = { creating = true, destroying = true, deleting = true, pausing = true, suspending = true,
    resuming = true, loading = true, restoring = true, updating = true, overwriting = true }

-- All statuses an instance may have.
M.statuses = { "creating", "destroying", "running", "pausing", "paused", "suspending", "suspended", "resuming",
    "loading", "loading failed", "restoring", "updating", "overwriting" }

local function words(text)
    local list = {}
    for word in text:gmatch("%S+") do
        list[#list + 1] = word
    end
    return list
end

local PRO_SIZES = { 1, 2, 4, 8, 16, 24, 32, 48, 64 }
local BC_SIZES = { 2, 4, 8, 16, 24, 32, 48, 64, 128, 192, 256, 384, 512 }
local ALL_SIZES = { 1, 2, 4, 8, 16, 24, 32, 48, 64, 128, 192, 256, 384, 512 }
local DS_SIZES = { 2, 4, 8, 16, 24, 32, 48, 64, 128, 192, 256, 384 }

-- `factors`: the storage sizes offered, as multiples of the memory; the first one is the default.
-- `also`: factors offered besides, up to M.largest_common. `legacy`: version 4 is offered too, in the paid
-- regions. `entitled`: needs a contract. `regions`: which lists of M.regions apply. The others say what the
-- type takes (the sources dispute the plugin of business-critical).
M.types = {
    ["free-db"] = { memory = { 1 }, free = true, regions = { "free" } },
    ["professional-db"] = { memory = PRO_SIZES, factors = { 2 }, also = { 4 }, legacy = true,
        vector = true, plugin = true, regions = { "paid" } },
    ["business-critical"] = { memory = BC_SIZES, factors = { 2 }, also = { 4 },
        vector = true, plugin = "lenient", secondaries = true, cdc = true, metrics = true,
        regions = { "paid", "critical" } },
    ["enterprise-db"] = { memory = ALL_SIZES, factors = { 2 }, also = { 4 }, legacy = true, entitled = true,
        vector = true, plugin = true, secondaries = true, cdc = true, metrics = true, own_key = true,
        regions = { "paid", "critical", "dedicated" } },
    ["professional-ds"] = { memory = DS_SIZES, factors = { 2 }, science = true, regions = { "paid" } },
    ["enterprise-ds"] = { memory = DS_SIZES, factors = { 2 }, science = true, entitled = true,
        cdc = true, metrics = true, own_key = true, regions = { "paid" } },
}
M.type_order = { "free-db", "professional-db", "business-critical", "enterprise-db", "professional-ds",
    "enterprise-ds" }
M.largest_common = 64        -- GB of memory up to which the `also` factors are offered
M.vector_memory = 4          -- GB of memory that vector_optimized needs
M.upgrade_memory = 2         -- GB of memory that business-critical needs
M.cdc_modes = { OFF = true, DIFF = true, FULL = true }
M.most_secondaries = 15
M.retained_days = 30         -- snapshots are listed this long

M.clouds = { "aws", "azure", "gcp" }
M.regions = {
    free = { gcp = words "europe-west1 us-central1 asia-southeast1" },
    paid = {
        aws = words "ap-south-1 ap-southeast-1 eu-west-1 eu-west-3 sa-east-1 us-east-1 us-west-2",
        azure = words "brazilsouth centralindia eastus francecentral koreacentral uksouth westus3",
        gcp = words [[asia-east1 asia-east2 asia-south1 asia-southeast1 australia-southeast1 europe-west1 europe-west2
            europe-west3 us-central1 us-east1 us-west1]],
    },
    critical = { aws = words "us-east-2" },
    dedicated = {
        aws = words [[ap-southeast-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ca-central-1 eu-central-1 eu-north-1
            eu-south-1 eu-west-2 il-central-1]],
        azure = words [[australiaeast canadacentral eastus2 germanywestcentral northeurope norwayeast southafricanorth
            switzerlandnorth uaenorth]],
        gcp = words [[asia-northeast1 asia-northeast2 asia-northeast3 asia-south2 asia-southeast2 australia-southeast2
            europe-central2 europe-north1 europe-southwest1 europe-west4 europe-west6 europe-west8 europe-west9
            europe-west12 northamerica-northeast1 northamerica-northeast2 us-east4 us-east5 us-west2 us-west3 us-west4
            us-south1 southamerica-east1 southamerica-west1 me-central1 me-west1]],
    },
}
M.region_names = {
    ["us-east-1"] = "US East, N. Virginia", ["us-east-2"] = "US East, Ohio", ["us-west-2"] = "US West, Oregon",
    ["eu-west-1"] = "EU, Ireland", ["eu-west-3"] = "EU, Paris", ["eu-central-1"] = "EU, Frankfurt",
    ["ap-south-1"] = "Asia Pacific, Mumbai", ["ap-southeast-1"] = "Asia Pacific, Singapore",
    ["sa-east-1"] = "South America, São Paulo", ["europe-west1"] = "Belgium", ["us-central1"] = "Iowa, USA",
    eastus = "East US, Virginia", uksouth = "UK South, London", francecentral = "France Central, Paris",
}

---One row of a project's `instance_configurations`.
function M.configuration(kind, cloud, region, memory, storage, version)
    local name = M.region_names[region]
    return { type = kind, cloud_provider = cloud, region = region, memory = memory, storage = storage,
        version = version, region_name = name and ("%s (%s)"):format(name, region) or region }
end

local function add_sizes(rows, kind, cloud, region, common)
    local facts = M.types[kind]
    for _, memory in ipairs(facts.memory) do
        local size = memory .. "GB"
        if facts.free then
            rows[#rows + 1] = M.configuration(kind, cloud, region, size, nil, "5")
        end
        for _, factor in ipairs(facts.factors or {}) do
            local storage = memory * factor .. "GB"
            rows[#rows + 1] = M.configuration(kind, cloud, region, size, storage, "5")
            if facts.legacy and common then
                rows[#rows + 1] = M.configuration(kind, cloud, region, size, storage, "4")
            end
        end
        for _, factor in ipairs(memory <= M.largest_common and facts.also or {}) do
            rows[#rows + 1] = M.configuration(kind, cloud, region, size, memory * factor .. "GB", "5")
        end
    end
end

---Everything Aura offers, or what it offers of some types.
---@param types string[]? all when left out
---@return table[] rows
function M.configurations(types)
    local rows = {}
    for _, kind in ipairs(types or M.type_order) do
        for _, group in ipairs(M.types[kind].regions) do
            for _, cloud in ipairs(M.clouds) do
                for _, region in ipairs(M.regions[group][cloud] or {}) do
                    add_sizes(rows, kind, cloud, region, group == "paid")
                end
            end
        end
    end
    return rows
end

return M
