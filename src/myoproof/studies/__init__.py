"""Study: a cohort and a written question become a result."""
