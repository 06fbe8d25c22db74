"""Whose verse does it sound like? Models of poets over phones, never over letters. No torch; built by scikit-learn, read by numpy."""
