"""The one URL of the project: that of django-anymail's webhooks."""

from django.urls import include, path

urlpatterns = [path("anymail/", include("anymail.urls"))]
