# pqota. Every target sets the machine up as far as it needs: on Debian 13, Ubuntu 25.10 and later from the
# distribution's packages; on another Debian-family Linux inside a Debian 13 root (tools/debian13).
#
#   make demo      a server, three agents and a real update, in under a minute
#   make check     the tests
#   make build     the programs, in build/release
#   make install   PREFIX=/usr/local DESTDIR=
#   make bench     the table: speed and size beside nginx and Flask, about eleven minutes
#   make soak      long tests: storms, fuzzing, power cuts
#   make format    the formatter over the sources
#   make clean     removes build/

PREFIX  ?= /usr/local
DESTDIR ?=
FRESH   ?=

HERE := tools/here

.DEFAULT_GOAL := build
.PHONY: build check demo bench soak install format clean

build check demo bench soak format:
	@FRESH="$(FRESH)" $(HERE) $@

install:
	@PREFIX="$(PREFIX)" DESTDIR="$(abspath $(DESTDIR))" FRESH="$(FRESH)" $(HERE) install

clean:
	rm -rf build
