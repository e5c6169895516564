"""The URLs of the project: the dashboard of django-ses, in the admin."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/django-ses/", include("django_ses.urls")), path("admin/", admin.site.urls)]
