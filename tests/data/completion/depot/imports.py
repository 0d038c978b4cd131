"""Completion in import statements; the form is explained in members.py."""

#? depot members
import 
#? client models storage
import depot.
#? client
from depot.cl
#? Parcel Crate State
from depot.models import 
#? Parcel !Parrot
from depot.models import Crate, Par
#? Shelf Disk
from depot.storage.disk import (Disk, 
#? disk Disk
from depot.storage import 
#? import
from depot.models im
#? !anything
import depot as de
