"""The nouns: what a measurement, a cohort, a study and a result are."""
