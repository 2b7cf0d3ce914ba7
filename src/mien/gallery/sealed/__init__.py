"""Templates to scores, while both stay encrypted.

The scheme is `scheme`, its parameters `profiles`, its keys `keys`; what each role may do is in the modules named after it.
Nothing here is imported before it is used: numba and cryptography come with the extra `sealed`.
"""
