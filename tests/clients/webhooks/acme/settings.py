"""A project of Django whose mail goes out by django-anymail's backend for Resend, and which hears what became of it."""

import os

SECRET_KEY = "not a secret"
ROOT_URLCONF = "acme.urls"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["anymail", "acme"]
USE_TZ = True
EMAIL_BACKEND = "anymail.backends.resend.EmailBackend"
DEFAULT_FROM_EMAIL = '"Acme, Inc." <hello@example.com>'
ANYMAIL = {
    "RESEND_API_URL": os.environ["OKITE_URL"],
    "RESEND_API_KEY": os.environ["RESEND_API_KEY"],
    "RESEND_SIGNING_SECRET": os.environ.get("RESEND_SIGNING_SECRET"),
}
