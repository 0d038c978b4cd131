"""Completion in relative imports; the form is explained in members.py."""

#? disk relative
from .
#? Parcel
from ..models import Pa
#? client models
from ..
#? client models
from .. import 
