/* Completion scripts for shells, written from the tables of verbs, sub-verbs and options. */
#ifndef PQOTA_CMD_SHELLS_H
#define PQOTA_CMD_SHELLS_H

#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/line.h"

#define SHELLS_CHOICES "bash zsh fish"

/* One of SHELLS_CHOICES. verbs: the table of main.c; lines: those that have tables of their own. */
void shells_write(const char *shell, const struct cmd_verb *verbs, const struct line_verb *const *lines,
                  FILE *to);

#endif
