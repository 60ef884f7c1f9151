"""A machine with a kernel of Debian's, in QEMU: for what the kernel that runs the tests does not have. It
sees this root read-only, so that programs and tests need no copying, and a disk of its own as /tmp."""

import gzip
import lzma
import os
import pathlib
import re
import shutil
import subprocess

SHARES = {
    "trixie": "deb http://deb.debian.org/debian trixie main\n",
    "trixie-backports": "deb http://deb.debian.org/debian trixie-backports main\n",
}
# By what the tests need; a kernel has some of them built in, and some under another name.
MODULES = """virtio_pci virtio_blk 9pnet_virtio 9p crc32c_generic crc32c ext4 tls gcm ghash_generic ctr seqiv
    chacha20poly1305 chacha_generic poly1305_generic aesni_intel ghash_clmulni_intel chacha_x86_64
    poly1305_x86_64""".split()
INIT = """#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read m; do insmod /modules/$m || echo "init: no $m"; done < /modules/order
ifconfig lo 127.0.0.1 up
share="-t 9p -o trans=virtio,version=9p2000.L,msize=512000"
mount $share,ro,cache=loose root /root && mount $share results /root/mnt &&
    mount -t ext4 /dev/vda /root/tmp || poweroff -f
chmod 1777 /root/tmp
mount -t proc proc /root/proc
mount -t sysfs sys /root/sys
mount -t devtmpfs dev /root/dev
ln -s /proc/self/fd /dev/fd
mkdir -p /dev/shm /dev/pts
mount -t tmpfs shm /root/dev/shm
mount -t devpts pts /root/dev/pts
mount -t tmpfs run /root/run
chroot /root /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp \\
    LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PQOTA_IN_GUEST=1 sh /mnt/command > /root/mnt/output 2>&1
echo $? > /root/mnt/code
sync
poweroff -f
"""


def is_there():
    return all(shutil.which(p) for p in ("qemu-system-x86_64", "busybox", "mke2fs", "apt-get", "dpkg-deb"))


def _apt(folder, share):
    for d in ("lists/partial", "cache/archives/partial", "state"):
        (folder / d).mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text(SHARES[share])
    return ["-q", "-o", f"Dir::State={folder}/state", "-o", f"Dir::State::Lists={folder}/lists",
            "-o", "Dir::State::status=/var/lib/dpkg/status", "-o", f"Dir::Cache={folder}/cache",
            "-o", f"Dir::Etc::SourceList={folder}/sources.list", "-o", "Dir::Etc::SourceParts=/dev/null",
            "-o", "APT::Sandbox::User=root"]


def kernel(folder, share):
    """The folder of a kernel's modules, fetched from Debian's archive once; its image is beside them."""
    folder = pathlib.Path(folder) / share
    tree = folder / "tree"
    if not tree.exists():
        options = _apt(folder, share)
        call = dict(cwd=folder, check=True, capture_output=True, text=True)
        subprocess.run(["apt-get", *options, "update"], **call)
        listed = subprocess.run(
            ["apt-cache", *options, "depends", "--recurse", "--no-recommends", "--no-suggests",
             "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances", "linux-image-amd64"],
            **call).stdout
        names = set(re.findall(r"^linux-(?:image|modules|binary)-[0-9]\S*", listed, re.M))
        subprocess.run(["apt-get", *options, "download", *sorted(names)], **call)
        for package in folder.glob("linux-*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, folder / "new"], **call)
            package.unlink()
        (folder / "new").rename(tree)
    modules = next(p for where in ("usr/lib/modules", "lib/modules") for p in (tree / where).glob("*"))
    images = [modules / "vmlinuz", tree / "boot" / f"vmlinuz-{modules.name}"]
    return modules, next(p for p in images if p.exists())


def _unpacked(path):
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def _in_order(modules):
    """Names and contents of MODULES and what they depend on, each behind its own."""
    found = {p.name.split(".")[0].replace("-", "_"): p for p in modules.rglob("*.ko*")}
    order = {}

    def add(name):
        if name in order or name not in found:
            return
        data = _unpacked(found[name])
        depends = re.search(rb"\0depends=([^\0]*)\0", data)
        for other in depends[1].decode().split(",") if depends else []:
            add(other.replace("-", "_"))
        order[name] = data

    for name in MODULES:
        add(name)
    return order


def _cpio(entries):
    """The format "newc" of cpio(5): entries are (name, mode, content)."""
    out = bytearray()
    for number, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
        out += b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
        out += bytes(-len(out) % 4) + content
        out += bytes(-len(out) % 4)
    return bytes(out)


def _initramfs(modules):
    order = _in_order(modules)
    folder, program = 0o040755, 0o100755
    entries = [(name, folder, b"") for name in ("bin", "proc", "sys", "dev", "root", "modules")]
    entries += [("init", program, INIT.encode()),
                ("bin/busybox", program, pathlib.Path(shutil.which("busybox")).read_bytes())]
    entries += [(f"modules/{name}.ko", 0o100644, data) for name, data in order.items()]
    entries.append(("modules/order", 0o100644, "".join(f"{name}.ko\n" for name in order).encode()))
    return gzip.compress(_cpio(entries), 1)


class Failed(Exception):
    pass


def run(folder, share, command, timeout, processors=2, memory=2048):
    """Runs a shell's command in a machine of its own; answers its exit code and its output."""
    folder = pathlib.Path(folder)
    modules, image = kernel(folder, share)
    work = folder / f"machine-{os.getpid()}"
    shutil.rmtree(work, ignore_errors=True)
    results = work / "results"
    results.mkdir(parents=True)
    (results / "command").write_text(command)
    (work / "initramfs").write_bytes(_initramfs(modules))
    with open(work / "disk", "wb") as disk:
        disk.truncate(4 << 30)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", work / "disk"], check=True)
    console = work / "console"
    said = ""
    try:
        said = subprocess.run(
            ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", str(memory), "-smp",
             str(processors), "-nographic", "-no-reboot", "-nic", "none", "-monitor", "none",
             "-serial", f"file:{console}", "-kernel", image, "-initrd", work / "initramfs",
             "-append", "console=ttyS0 panic=-1 quiet",
             "-drive", f"file={work}/disk,format=raw,if=virtio,cache=unsafe",
             "-virtfs", "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap",
             "-virtfs", f"local,path={results},mount_tag=results,security_model=none"],
            timeout=timeout, stdin=subprocess.DEVNULL, capture_output=True, text=True).stderr
    except subprocess.TimeoutExpired:
        pass
    output = (results / "output").read_text(errors="replace") if (results / "output").exists() else ""
    said += console.read_text(errors="replace") if console.exists() else ""
    if not (results / "code").exists():
        raise Failed(f"the machine did not come to the end in {timeout} s:\n{output[-6000:]}\n{said[-3000:]}")
    code = int((results / "code").read_text())
    shutil.rmtree(work)
    return code, output
