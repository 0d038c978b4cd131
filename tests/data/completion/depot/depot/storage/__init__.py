from .disk import Disk
