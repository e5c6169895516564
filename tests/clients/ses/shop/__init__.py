"""A small project of Django that sends its mail through Amazon SES with django-ses."""
