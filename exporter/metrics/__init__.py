"""Every metric, and the bytes of the page that shows them. The only package that names a metric."""
