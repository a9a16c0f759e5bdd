"""The regime map: which mode and which degree has the least error, from rough fields to smooth ones."""
