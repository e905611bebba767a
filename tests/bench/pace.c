/* How late waits see the end of operations of chance durations, and how many looks that
 * takes: pace.c, a look every 20 s, and fixed intervals with as many looks as pace.c. */
#include <stdio.h>

#include "../unit/pace_simulation.h"

int main(void)
{
    printf("\nWaits: mean delay in s between the change and the look that sees it "
           "(%d waits, simulated)\n"
           "%-37s %7s %7s   %7s %7s   %s\n",
           PACE_WAITS, "duration", "halo", "looks", "20 s", "looks",
           "fixed, with as many looks as halo");
    for (size_t i = 0; i < sizeof PACE_CASES / sizeof *PACE_CASES; i++) {
        struct pace_outcome o = pace_simulate(&PACE_CASES[i]);
        printf("%-37s %7.1f %7.1f   %7.1f %7.1f   %7.1f\n", PACE_CASES[i].name, o.delay_s,
               o.looks, o.delay_20_s, o.looks_20, o.delay_same_s);
    }
    return 0;
}
