"""What people see and answer: reports, progress, questions."""
