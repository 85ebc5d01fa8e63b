"""The notebooks as a course: copies for students and for teachers, and their checks."""
