/* home: where the account keeps what is its own. */
#pragma once

/* $XDG_CONFIG_HOME/caisson/NAME (~/.config/caisson/NAME), in new memory; NULL without memory. */
char *home_config(const char *name);
