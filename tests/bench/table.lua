-- results.tsv as a table; with a second argument, its growth as an SVG file.
local groups, by_name = {}, {}
for line in io.lines(arg[1]) do
    local group, program, rest = line:match("^(.-)\t(.-)\t(.*)$")
    local run = {}
    for value in rest:gmatch("[^\t]+") do
        run[#run + 1] = tonumber(value)         -- wall, cpu, MB, requests, connections, tokens
    end
    local g = by_name[group] or { name = group, programs = {} }
    if not by_name[group] then
        by_name[group], groups[#groups + 1] = g, g
    end
    if not g[program] then
        g[program], g.programs[#g.programs + 1] = {}, program
    end
    table.insert(g[program], run)
end

local function sorted(runs, value)
    local list = {}
    for i, run in ipairs(runs) do
        list[i] = value(run, i)
    end
    table.sort(list)
    return list
end

local function median(list)
    local n = #list
    return (list[(n + 1) // 2] + list[n // 2 + 1]) / 2
end

-- Three digits that count.
local function short(n)
    return (n >= 100 and "%.0f" or n >= 10 and "%.1f" or "%.2f"):format(n)
end

local function range(runs, field)
    local list = sorted(runs, function(run) return run[field] end)
    return ("%s (%s .. %s)"):format(short(median(list)), short(list[1]), short(list[#list]))
end

-- A median of ratios, round by round; those of programs that failed at times do not pair.
local function ratio(runs, first, field)
    if #runs ~= #first then
        return "-"
    end
    return short(median(sorted(runs, function(run, i) return run[field] / first[i][field] end)))
end

for _, g in ipairs(groups) do
    local first = g[g.programs[1]]
    print(("\n%s\n  %-20s %-26s %6s   %-26s %6s %6s %6s %6s %6s"):format(g.name, "", "wall ms", "x", "CPU ms", "x",
        "MB", "requ.", "conn.", "tokens"))
    for _, program in ipairs(g.programs) do
        local runs = g[program]
        local last = runs[#runs]
        print(("  %-20s %-26s %6s   %-26s %6s %6.1f %6d %6d %6d"):format(program, range(runs, 1), ratio(runs, first, 1),
            range(runs, 2), ratio(runs, first, 2), median(sorted(runs, function(run) return run[3] end)), last[4],
            last[5], last[6]))
    end
end

-- ---- growth ----

local WIDTH, HEIGHT, LEFT, BOTTOM, MOST = 640, 400, 60, 350, 1000
local X_DECADES, Y_DECADES = 3, 5              -- from 1 instance; from 1 ms, or MB

local function x_of(n)
    return LEFT + math.log(n, 10) / X_DECADES * (WIDTH - LEFT - 170)
end

local function y_of(value)
    return BOTTOM - math.max(math.log(value, 10), 0) / Y_DECADES * (BOTTOM - 30)
end

local svg = {}
local function add(text, ...)
    svg[#svg + 1] = text:format(...)
end

local function line(g, field, label, colour)
    local points, last = {}, 1
    for _, n in ipairs(g.programs) do
        last = median(sorted(g[n], function(run) return run[field] end))
        points[#points + 1] = ("%.1f,%.1f"):format(x_of(tonumber(n)), y_of(last))
    end
    add('<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>', colour, table.concat(points, " "))
    add('<text x="%.1f" y="%.1f" fill="%s">%s</text>', x_of(tonumber(g.programs[#g.programs])) + 6, y_of(last) + 4,
        colour, label)
end

local LINES = {
    { "growth: list and get N", 1, "list, get: ms", "#1b6ca8" },
    { "growth: list and get N", 2, "list, get: CPU ms", "#0b9e8e" },
    { "growth: pause N and wait", 1, "pause, wait: ms", "#8e44ad" },
    { "growth: pause N and wait", 2, "pause, wait: CPU ms", "#c0392b" },
    { "growth: pause N and wait", 3, "pause, wait: MB", "#7f8c8d" },
}
if arg[2] and by_name[LINES[1][1]] and by_name[LINES[3][1]] then
    add('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">',
        WIDTH, HEIGHT)
    add('<rect width="100%%" height="100%%" fill="white"/>')
    for i = 0, Y_DECADES do
        local y = y_of(10 ^ i)
        add('<path d="M%d %.1fH%.1f" stroke="#ddd"/>', LEFT, y, x_of(MOST))
        add('<text x="%d" y="%.1f" text-anchor="end">%d</text>', LEFT - 6, y + 4, 10 ^ i // 1)
    end
    for i = 0, X_DECADES do
        add('<text x="%.1f" y="%d" text-anchor="middle">%d</text>', x_of(10 ^ i), BOTTOM + 18, 10 ^ i // 1)
    end
    add('<text x="%.1f" y="%d" text-anchor="middle">instances</text>', (x_of(1) + x_of(MOST)) / 2, BOTTOM + 38)
    for _, each in ipairs(LINES) do
        line(by_name[each[1]], table.unpack(each, 2))
    end
    add("</svg>\n")
    local file <close> = assert(io.open(arg[2], "w"))
    file:write(table.concat(svg, "\n"))
end
