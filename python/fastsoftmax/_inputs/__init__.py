"""What users pass, checked and brought into the form that the compiled core takes."""
