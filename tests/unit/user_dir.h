/* For tests of what is kept in a directory of the user's: one that is fresh for each. */
#ifndef USER_DIR_H
#define USER_DIR_H

#include <stdlib.h>

#include <halo.h>

#include "fs.h"
#include "table.h"
#include "userdir.h"

static char dir[256], why[256];
static struct hl_userdir user_dir; /* dir */

static inline int user_dir_setup(void **state)
{
    (void)state;
    return hl_fs_tempdir(dir, sizeof dir) == HALO_OK &&
                   hl_userdir_open(&user_dir, HL_USERDIR_CACHE, dir, why, sizeof why)
               ? 0
               : -1;
}

static inline int user_dir_teardown(void **state)
{
    char command[300];
    (void)state;
    hl_userdir_close(&user_dir);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

#endif
