"""Tests over the folder of real files beside the checkout; they skip without it."""
