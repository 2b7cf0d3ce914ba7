"""Networks in plain torch. Imported only where something is trained."""
