/* The one cleanup idiom: a variable that frees what it holds when its scope ends. */
#ifndef PQOTA_BASE_CLEANUP_H
#define PQOTA_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Defines `name##_cleanup(type **)` calling free_fn on what the variable holds, if anything. */
#define CLEANUP_DEFINE(name, type, free_fn)                                                                  \
    static inline void name##_cleanup(type **p)                                                              \
    {                                                                                                        \
        if (*p != NULL)                                                                                      \
            free_fn(*p);                                                                                     \
    }                                                                                                        \
    struct name##_cleanup_needs_semicolon

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}
static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
static inline void cleanup_fclose(FILE **f)
{
    if (*f != NULL)
        fclose(*f);
}
static inline void cleanup_closedir(DIR **d)
{
    if (*d != NULL)
        closedir(*d);
}

#define auto_free CLEANUP(cleanup_free)
#define auto_close CLEANUP(cleanup_close) /* an int descriptor; -1 is none */
#define auto_fclose CLEANUP(cleanup_fclose)
#define auto_closedir CLEANUP(cleanup_closedir)

/* Takes the value out of an auto_ variable, so that it outlives the scope. */
#define take_ptr(p)                                                                                          \
    __extension__({                                                                                          \
        __typeof__(p) *_take = &(p);                                                                         \
        __typeof__(p) _val = *_take;                                                                         \
        *_take = NULL;                                                                                       \
        _val;                                                                                                \
    })
static inline int take_fd(int *fd)
{
    int v = *fd;
    *fd = -1;
    return v;
}

#endif
