"""Completion of bare names; the form is explained in members.py."""

from __future__ import annotations

import os.path as ospath

from depot.client import Client, connect

LIMIT = 3


def helper(amount: int) -> int:
    return amount


class Keeper:
    kept: int = 0

    def keep(self, parcel, *others):
        local_total = 0
        for each_one in others:
            #? each_one
            ea
        #? parcel
        pa
        #? local_total
        local
        #? parcel print
        p
        #? others
        foo(oth
        #? retries= transport= !url=
        Client("x", 
        #? secure= !url=
        connect("x", sec
        #? helper
        hel
        #? Keeper
        Kee
        #? LIMIT
        x = [LI
        #? return raise
        r
        #? ValueError
        raise Va
        #? ospath
        osp
        #? Parcel
        Parc
        #? Parcel
        x: Par
        #? !while
        x = whi

    #? kept
    other = ke


#? !anything
def hel
#? !anything
class Kee
#? !anything
def f(he
#? !anything
x = "hel
#? !anything
# hel
#? !anything
x = 12
#? helper
x = f"{hel
#? helper
def f(a: hel
