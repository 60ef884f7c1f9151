/*
 * Flash made of files, under flash's rules: a record is kept in two pages that are written in turn, each
 * with a sequence number and a CRC, so that a power cut spoils the older one at most; a slot is erased by
 * sectors. The artifact area is the slot that does not run: what is downloaded lies where it will be started.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port.h"

#define PAGE (2 * SECTOR)
#define MAGIC 0x50514f54u

struct page {
    uint32_t magic, crc, sequence, n; /* crc is over what follows it */
    unsigned char data[PAGE - 16];
};

static uint32_t crc32(const void *data, size_t n)
{
    const unsigned char *p = data;
    uint32_t crc = ~0u;
    while (n-- > 0) {
        crc ^= *p++;
        for (int i = 0; i < 8; i++)
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

static bool read_page(int fd, int which, struct page *p)
{
    return pread(fd, p, sizeof *p, (off_t)which * PAGE) == (ssize_t)sizeof *p && p->magic == MAGIC &&
           p->n <= sizeof p->data && p->crc == crc32(&p->sequence, 8 + (size_t)p->n);
}

/* The page with the newer record, -1 for none. */
static int newest(int fd, struct page *p)
{
    struct page other;
    bool zero = read_page(fd, 0, p), one = read_page(fd, 1, &other);
    if (!one || (zero && (int32_t)(p->sequence - other.sequence) > 0))
        return zero ? 0 : -1;
    *p = other;
    return 1;
}

static int save_record(int fd, const void *data, size_t n)
{
    struct page p;
    int now = newest(fd, &p), next = now == 0 ? 1 : 0;
    uint32_t sequence = now < 0 ? 1 : p.sequence + 1;
    if (n > sizeof p.data)
        return -1;
    memset(&p, 0xFF, sizeof p);
    p.magic = MAGIC;
    p.sequence = sequence;
    p.n = (uint32_t)n;
    memcpy(p.data, data, n);
    p.crc = crc32(&p.sequence, 8 + n);
    return pwrite(fd, &p, sizeof p, (off_t)next * PAGE) == (ssize_t)sizeof p ? fdatasync(fd) : -1;
}

int flash_save_record(struct flash *f)
{
    return save_record(f->boot, &f->record, sizeof f->record);
}

/* What MCUboot or ESP-IDF's boot loader does before the firmware runs: a pending image is started once, and
   one that was started and did not confirm itself is left again. Those check its signature, too. */
static int boot_loader(struct flash *f)
{
    struct page p;
    struct boot_record *r = &f->record;
    *r = (struct boot_record){.version = {"factory", ""}};
    if (newest(f->boot, &p) >= 0 && p.n == sizeof *r)
        memcpy(r, p.data, sizeof *r);
    r->boots++;
    if (r->trial == TRIAL_PENDING) {
        r->slot ^= 1;
        r->trial = TRIAL_RUNNING;
    } else if (r->trial == TRIAL_RUNNING) {
        r->version[r->slot][0] = '\0';
        r->slot ^= 1;
        r->trial = TRIAL_NONE;
    }
    return flash_save_record(f);
}

int flash_start(struct flash *f, const char *dir)
{
    static const char *const names[] = {"state", "boot", "manifest", "slot.0", "slot.1"};
    int *const fds[] = {&f->state, &f->boot, &f->manifest, &f->slot[0], &f->slot[1]};
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = folder >= 0;
    for (size_t i = 0; good && i < sizeof names / sizeof *names; i++) {
        *fds[i] = openat(folder, names[i], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        good = *fds[i] >= 0;
    }
    good = good && fsync(folder) == 0;
    if (folder >= 0)
        close(folder);
    return good ? boot_loader(f) : -1;
}

static int load(void *ctx, void *buf, size_t size, size_t *n)
{
    struct flash *f = ctx;
    struct page p;
    *n = newest(f->state, &p) >= 0 ? p.n : 0;
    if (*n > size)
        return PQOTA_E_INVALID;
    memcpy(buf, p.data, *n);
    return PQOTA_OK;
}

static int save(void *ctx, const void *buf, size_t n)
{
    struct flash *f = ctx;
    return save_record(f->state, buf, n) == 0 ? PQOTA_OK : PQOTA_E_AGAIN;
}

void flash_load_manifest(struct flash *f, const unsigned char key[PQOTA_MANIFEST_KEY],
                         struct manifest_record *r)
{
    struct page p;
    struct manifest_record stored = {0};
    *r = (struct manifest_record){.key = crc32(key, PQOTA_MANIFEST_KEY)};
    if (newest(f->manifest, &p) >= 0 && p.n == sizeof stored)
        memcpy(&stored, p.data, sizeof stored);
    if (stored.key == r->key)
        r->version = stored.version;
}

int flash_save_manifest(struct flash *f, const struct manifest_record *r)
{
    return save_record(f->manifest, r, sizeof *r);
}

static int area(const struct flash *f)
{
    return f->slot[f->record.slot ^ 1];
}

static int area_size(void *ctx, uint64_t *n)
{
    struct stat st;
    if (fstat(area(ctx), &st) != 0)
        return PQOTA_E_AGAIN;
    *n = (uint64_t)st.st_size;
    return PQOTA_OK;
}

static int area_truncate(void *ctx, uint64_t n)
{
    uint64_t size;
    if (area_size(ctx, &size) != PQOTA_OK)
        return PQOTA_E_AGAIN;
    if (n >= size)
        return PQOTA_OK;
    return ftruncate(area(ctx), (off_t)(n - n % SECTOR)) == 0 ? PQOTA_OK : PQOTA_E_AGAIN;
}

static int area_prepare(void *ctx, uint64_t size)
{
    struct flash *f = ctx;
    if (size > SLOT_MOST)
        return PQOTA_E_FULL;
    if (f->record.trial != TRIAL_NONE) /* the other slot is the way back */
        return PQOTA_E_AGAIN;
    f->record.version[f->record.slot ^ 1][0] = '\0';
    return flash_save_record(f) == 0 ? area_truncate(f, 0) : PQOTA_E_AGAIN;
}

static int area_write(void *ctx, uint64_t offset, const void *data, size_t n)
{
    return pwrite(area(ctx), data, n, (off_t)offset) == (ssize_t)n ? PQOTA_OK : PQOTA_E_AGAIN;
}

static int area_read(void *ctx, uint64_t offset, void *data, size_t n)
{
    return pread(area(ctx), data, n, (off_t)offset) == (ssize_t)n ? PQOTA_OK : PQOTA_E_AGAIN;
}

static int area_sync(void *ctx)
{
    return fdatasync(area(ctx)) == 0 ? PQOTA_OK : PQOTA_E_AGAIN;
}

/* Nothing to erase: the slot holds the image that was started, or the one to go back to. */
static int area_discard(void *ctx)
{
    (void)ctx;
    return PQOTA_OK;
}

struct pqota_storage flash_storage(struct flash *f)
{
    return (struct pqota_storage){.ctx = f,
                                  .load = load,
                                  .save = save,
                                  .prepare = area_prepare,
                                  .size = area_size,
                                  .write = area_write,
                                  .read = area_read,
                                  .truncate = area_truncate,
                                  .sync = area_sync,
                                  .discard = area_discard};
}
